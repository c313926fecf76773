#include "cache/verify.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "cache/content_reader.h"
#include "cache/content_seal.h"

namespace atelier {
namespace {

constexpr const char* kOtherLayout = "it is not laid out as this version writes it";

// What the ledger has to say against content that is whole; empty: nothing.
std::string disagreement(const Record& record, const Outputs& outputs) {
  for (const auto& [port, output] : record.outputs) {
    const auto found = outputs.find(port);
    if (found == outputs.end()) return fmt::format("it lacks the output '{}', which the ledger knows", port);
    if (digest_of(found->second) != output.digest) return fmt::format("its output '{}' is not the ledger's", port);
  }
  if (outputs.size() > record.outputs.size()) return "it has outputs that the ledger does not know";
  return {};
}

class Verification {
 public:
  Verification(Files& files, Hdf5Store& store, Ledger& ledger, const VerifyOptions& options)
      : files_(files), store_(store), ledger_(ledger), options_(options) {}

  VerifyResult run(const std::vector<StoredFile>& all) {
    for (const auto& file : all) all_bytes_ += file.size_bytes;
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      for (std::size_t i; (i = next++) < all.size();) check(all[i]);
    };
    std::vector<std::jthread> threads;
    for (int i = 1; i < options_.threads; ++i) threads.emplace_back(work);
    work();
    threads.clear();
    std::ranges::sort(result_.damaged, {}, [](const DamagedFile& damaged) { return damaged.file.path; });
    return std::move(result_);
  }

 private:
  void check(const StoredFile& file) {
    const auto wrong = examine(file);
    const std::lock_guard hold(mutex_);
    done_bytes_ += file.size_bytes;
    if (wrong) {
      ++result_.checked;
      result_.checked_bytes += file.size_bytes;
      if (!wrong->empty()) result_.damaged.push_back({file, *wrong, store_.set_aside(kind_of(file), file.key, *wrong)});
    }
    if (options_.progress) options_.progress(done_bytes_, all_bytes_);
  }

  static ContentKind kind_of(const StoredFile& file) {
    return file.kind == StoredKind::checkpoint ? ContentKind::checkpoint : ContentKind::outputs;
  }

  // What is wrong with it; empty: nothing. No value where it has gone meanwhile.
  std::optional<std::string> examine(const StoredFile& file) {
    const auto bytes = files_.read(file.path);
    if (!bytes) {
      const auto now = files_.stat(file.path);
      if (now && !*now) return std::nullopt;
      return "it cannot be read: " + bytes.error().message;
    }
    if (auto wrong = check_seal(kind_of(file), file.key, (*bytes)->bytes()); !wrong.empty()) return wrong;
    const auto outputs = read_content(*bytes);
    if (!outputs) return kOtherLayout;
    return file.kind == StoredKind::content ? compare(file.key, *outputs) : std::string();
  }

  // Under the key's claim, since a run writes content before its record.
  std::string compare(const Digest& key, const Outputs& outputs) {
    const auto claim = store_.try_claim(key);
    if (!claim || !*claim) return {};
    ledger_.refresh();
    const auto record = ledger_.find(key);
    if (record) return disagreement(*record, outputs);
    const std::lock_guard hold(mutex_);
    ++result_.without_record;
    return {};
  }

  Files& files_;
  Hdf5Store& store_;
  Ledger& ledger_;
  const VerifyOptions& options_;
  std::uint64_t all_bytes_ = 0;
  std::mutex mutex_;  // for what follows
  std::uint64_t done_bytes_ = 0;
  VerifyResult result_;
};

}  // namespace

Expected<VerifyResult> verify_cache(Files& files, const std::filesystem::path& cache, Hdf5Store& store, Ledger& ledger,
                                    const VerifyOptions& options) {
  auto stored = stored_files(files, cache);
  if (!stored) return tl::unexpected(stored.error());
  std::erase_if(stored->files, [](const StoredFile& file) { return file.kind == StoredKind::quarantine; });
  return Verification(files, store, ledger, options).run(stored->files);
}

}  // namespace atelier
