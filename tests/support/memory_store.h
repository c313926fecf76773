// support: a Store that keeps everything in memory. Artifacts go in and come out as the real store's do: without
// files, and claims are exclusive. Shared by all "processes" that hold it.
#pragma once
#include <mutex>
#include <set>
#include <unordered_map>

#include "artifact/store.h"

namespace atelier {

class MemoryStore final : public Store {
 public:
  bool has(const Digest& key) const override;
  std::optional<Outputs> get(const Digest& key) override;
  Expected<void> put(const Digest& key, const Outputs& outputs, const nlohmann::json& provenance) override;
  void drop(const Digest& key) override;
  std::optional<Artifact> checkpoint(const Digest& key) override;
  std::optional<nlohmann::json> checkpoint_metadata(const Digest& key) override;
  Expected<void> put_checkpoint(const Digest& key, const Artifact& state) override;
  void drop_checkpoint(const Digest& key) override;
  Expected<std::unique_ptr<Claim>> try_claim(const Digest& key) override;

  // For tests.
  std::size_t size() const;                          // keys with content
  std::size_t checkpoints() const;                   // keys with a checkpoint
  std::uint64_t puts() const;                        // how often content was put
  std::uint64_t gets() const;                        // how often content was found
  void fail_puts(std::uint64_t times, Error error);  // the next `times` puts fail
  std::optional<nlohmann::json> provenance(const Digest& key) const;

 private:
  struct Content {
    Outputs outputs;
    nlohmann::json provenance;
  };
  class HeldClaim;
  Expected<void> fail_if_told();
  void release(const Digest& key);

  mutable std::mutex mutex_;
  std::unordered_map<Digest, Content> content_;
  std::unordered_map<Digest, Artifact> checkpoints_;
  std::set<Digest> claimed_;
  std::uint64_t puts_ = 0, gets_ = 0, failures_left_ = 0;
  Error failure_;
};

}  // namespace atelier
