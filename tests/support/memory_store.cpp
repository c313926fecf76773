#include "support/memory_store.h"

#include <fmt/format.h>

namespace atelier {

class MemoryStore::HeldClaim final : public Claim {
 public:
  HeldClaim(MemoryStore& store, const Digest& key) : store_(store), key_(key) {}
  ~HeldClaim() override { store_.release(key_); }

 private:
  MemoryStore& store_;
  Digest key_;
};

bool MemoryStore::has(const Digest& key) const {
  const std::lock_guard hold(mutex_);
  return content_.contains(key);
}

std::optional<Outputs> MemoryStore::get(const Digest& key) {
  const std::lock_guard hold(mutex_);
  const auto found = content_.find(key);
  if (found == content_.end()) return std::nullopt;
  ++gets_;
  return found->second.outputs;
}

Expected<void> MemoryStore::fail_if_told() {
  if (failures_left_ == 0) return {};
  --failures_left_;
  return tl::unexpected(failure_);
}

Expected<void> MemoryStore::put(const Digest& key, const Outputs& outputs, const nlohmann::json& provenance) {
  const std::lock_guard hold(mutex_);
  if (auto r = fail_if_told(); !r) return r;
  ++puts_;
  auto& stored = content_[key] = {outputs, provenance};
  for (auto& [port, artifact] : stored.outputs)
    for (auto& file : artifact.files) file.path.clear();
  return {};
}

void MemoryStore::drop(const Digest& key) {
  const std::lock_guard hold(mutex_);
  content_.erase(key);
}

std::optional<Artifact> MemoryStore::checkpoint(const Digest& key) {
  const std::lock_guard hold(mutex_);
  const auto found = checkpoints_.find(key);
  return found == checkpoints_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<nlohmann::json> MemoryStore::checkpoint_metadata(const Digest& key) {
  const std::lock_guard hold(mutex_);
  const auto found = checkpoints_.find(key);
  return found == checkpoints_.end() ? std::nullopt : std::optional(found->second.metadata);
}

Expected<void> MemoryStore::put_checkpoint(const Digest& key, const Artifact& state) {
  const std::lock_guard hold(mutex_);
  if (auto r = fail_if_told(); !r) return r;
  checkpoints_[key] = state;
  return {};
}

void MemoryStore::drop_checkpoint(const Digest& key) {
  const std::lock_guard hold(mutex_);
  checkpoints_.erase(key);
}

Expected<std::unique_ptr<Store::Claim>> MemoryStore::try_claim(const Digest& key) {
  const std::lock_guard hold(mutex_);
  if (!claimed_.insert(key).second) return std::unique_ptr<Claim>();
  return std::make_unique<HeldClaim>(*this, key);
}

void MemoryStore::release(const Digest& key) {
  const std::lock_guard hold(mutex_);
  claimed_.erase(key);
}

std::size_t MemoryStore::size() const {
  const std::lock_guard hold(mutex_);
  return content_.size();
}

std::size_t MemoryStore::checkpoints() const {
  const std::lock_guard hold(mutex_);
  return checkpoints_.size();
}

std::uint64_t MemoryStore::puts() const {
  const std::lock_guard hold(mutex_);
  return puts_;
}

std::uint64_t MemoryStore::gets() const {
  const std::lock_guard hold(mutex_);
  return gets_;
}

void MemoryStore::fail_puts(std::uint64_t times, Error error) {
  const std::lock_guard hold(mutex_);
  failures_left_ = times;
  failure_ = std::move(error);
}

std::optional<nlohmann::json> MemoryStore::provenance(const Digest& key) const {
  const std::lock_guard hold(mutex_);
  const auto found = content_.find(key);
  return found == content_.end() ? std::nullopt : std::optional(found->second.provenance);
}

}  // namespace atelier
