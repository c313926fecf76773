// support: a Ledger that keeps everything in memory.
#pragma once
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "artifact/store.h"

namespace atelier {

class MemoryLedger final : public Ledger {
 public:
  std::optional<Record> find(const Digest& key) const override;
  void refresh() override {}
  Expected<void> commit(const Record& record, const std::vector<std::string>& owners) override;
  Expected<void> add_owners(const Digest& key, const std::vector<std::string>& owners) override;
  std::optional<Digest> file_digest(const std::filesystem::path& path, std::uint64_t size, std::int64_t modified_ns,
                                    std::uint64_t inode) const override;
  void remember_file(const std::filesystem::path& path, std::uint64_t size, std::int64_t modified_ns,
                     std::uint64_t inode, const Digest& digest) override;
  std::optional<StepMemory> last_step(const std::string& batch, const std::string& customer,
                                      const std::string& step) const override;
  Expected<void> remember_steps(const std::string& batch,
                                const std::vector<std::tuple<std::string, std::string, StepMemory>>& steps) override;
  std::optional<OutputMemory> last_output(const std::filesystem::path& absolute) const override;
  Expected<void> remember_output(const std::filesystem::path& absolute, const OutputMemory& memory) override;

  void each_record(const std::function<void(const Record&)>& visit) const;

  // For tests.
  std::size_t size() const;  // records
  std::set<std::string> owners(const Digest& key) const;
  void forget(const Digest& key);  // the record

 private:
  using FileKey = std::tuple<std::string, std::uint64_t, std::int64_t, std::uint64_t>;
  using StepKey = std::tuple<std::string, std::string, std::string>;

  mutable std::mutex mutex_;
  std::unordered_map<Digest, Record> records_;
  std::unordered_map<Digest, std::set<std::string>> owners_;
  std::map<FileKey, Digest> file_digests_;
  std::map<StepKey, StepMemory> steps_;
  std::map<std::filesystem::path, OutputMemory> outputs_;
};

}  // namespace atelier
