#include "support/memory_ledger.h"

namespace atelier {
namespace {

template <class Map, class Key>
auto lookup(const Map& map, const Key& key) -> std::optional<typename Map::mapped_type> {
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::optional<Record> MemoryLedger::find(const Digest& key) const {
  const std::lock_guard hold(mutex_);
  return lookup(records_, key);
}

void MemoryLedger::each_record(const std::function<void(const Record&)>& visit) const {
  const std::lock_guard hold(mutex_);
  for (const auto& [key, record] : records_) visit(record);
}

Expected<void> MemoryLedger::commit(const Record& record, const std::vector<std::string>& owners) {
  const std::lock_guard hold(mutex_);
  records_[record.key] = record;
  owners_[record.key].insert(owners.begin(), owners.end());
  return {};
}

Expected<void> MemoryLedger::add_owners(const Digest& key, const std::vector<std::string>& owners) {
  const std::lock_guard hold(mutex_);
  owners_[key].insert(owners.begin(), owners.end());
  return {};
}

std::optional<Digest> MemoryLedger::file_digest(const std::filesystem::path& path, std::uint64_t size,
                                                std::int64_t modified_ns, std::uint64_t inode) const {
  const std::lock_guard hold(mutex_);
  return lookup(file_digests_, FileKey{path.native(), size, modified_ns, inode});
}

void MemoryLedger::remember_file(const std::filesystem::path& path, std::uint64_t size, std::int64_t modified_ns,
                                 std::uint64_t inode, const Digest& digest) {
  const std::lock_guard hold(mutex_);
  file_digests_[{path.native(), size, modified_ns, inode}] = digest;
}

std::optional<StepMemory> MemoryLedger::last_step(const std::string& batch, const std::string& customer,
                                                  const std::string& step) const {
  const std::lock_guard hold(mutex_);
  return lookup(steps_, StepKey{batch, customer, step});
}

Expected<void> MemoryLedger::remember_steps(
    const std::string& batch, const std::vector<std::tuple<std::string, std::string, StepMemory>>& steps) {
  const std::lock_guard hold(mutex_);
  for (const auto& [customer, step, memory] : steps) steps_[{batch, customer, step}] = memory;
  return {};
}

std::optional<OutputMemory> MemoryLedger::last_output(const std::filesystem::path& absolute) const {
  const std::lock_guard hold(mutex_);
  return lookup(outputs_, absolute);
}

Expected<void> MemoryLedger::remember_output(const std::filesystem::path& absolute, const OutputMemory& memory) {
  const std::lock_guard hold(mutex_);
  outputs_[absolute] = memory;
  return {};
}

std::size_t MemoryLedger::size() const {
  const std::lock_guard hold(mutex_);
  return records_.size();
}

std::set<std::string> MemoryLedger::owners(const Digest& key) const {
  const std::lock_guard hold(mutex_);
  return lookup(owners_, key).value_or(std::set<std::string>{});
}

void MemoryLedger::forget(const Digest& key) {
  const std::lock_guard hold(mutex_);
  records_.erase(key);
}

}  // namespace atelier
