// A cache in a folder of the test's own, with real files, store and ledger.
#pragma once
#include <gtest/gtest.h>

#include "artifact/shown.h"
#include "cache/cache.h"
#include "random_artifact.h"
#include "support/manual_clock.h"
#include "support/temporary_folder.h"

namespace atelier {

class CacheFixture : public ::testing::Test {
 protected:
  std::unique_ptr<Cache> open() {
    auto cache = open_cache(*files, place, [this](const std::string& s) { told.push_back(s); }, clock);
    if (!cache) throw std::runtime_error(cache.error().message);
    return std::move(*cache);
  }

  // What a run leaves of a task: content and a record that agrees with it.
  static void make(Cache& cache, const Digest& key, const Outputs& outputs, const std::vector<std::string>& owners,
                   const std::string& node = "train") {
    ASSERT_TRUE(cache.store().put(key, outputs, {}));
    ASSERT_TRUE(cache.ledger().commit(record_of(key, outputs, node), owners));
  }
  static Record record_of(const Digest& key, const Outputs& outputs, const std::string& node = "train") {
    Record record{key, node, 3, {}, {}, nlohmann::json::object(), 1.5};
    for (const auto& [port, artifact] : outputs) record.outputs[port] = {digest_of(artifact), artifact.size_bytes()};
    return record;
  }
  // What the task of `key` showed.
  static void show(Cache& cache, const Digest& key, const std::vector<std::string>& owners) {
    Shown shown;
    shown.curves["loss"] = {{1, 0.5}};
    const Artifact artifact = shown.to_artifact();
    ASSERT_TRUE(put_shown(cache.store(), key, artifact));
    ASSERT_TRUE(cache.ledger().commit(record_of(shown_key(key), {{"shown", artifact}}, "shown"), owners));
  }
  // The keys were used at the clock's time, by a run that has ended.
  void use(Cache& cache, const std::vector<Digest>& keys) const {
    static int runs = 0;
    const auto run = cache.leases().begin_run("test-" + std::to_string(++runs));
    ASSERT_TRUE(run) << run.error().message;
    ASSERT_TRUE((*run)->hold(keys));
  }

  // One tensor of `bytes` bytes.
  static Outputs outputs_of(std::size_t bytes, std::uint8_t value = 1) {
    Artifact artifact;
    artifact.tensors["t"] =
        Tensor::of<std::uint8_t>({static_cast<std::int64_t>(bytes)}, std::vector<std::uint8_t>(bytes, value));
    return {{"out", artifact}};
  }

  TemporaryFolder folder;
  std::filesystem::path place = folder.path() / "cache";
  std::unique_ptr<Files> files = make_posix_files();
  ManualClock clock;
  std::vector<std::string> told;
};

}  // namespace atelier
