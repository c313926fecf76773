// cache: SqliteLedger, the Ledger on disk: SQLite with a write-ahead log, loaded whole into memory at start. Several
// processes may use one ledger at the same time.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "artifact/owned_path.h"
#include "artifact/store.h"
#include "cache/ledger_index.h"

namespace atelier {

class SqliteLedger final : public Ledger {
 public:
  // Opens the ledger at `path`, making it where there is none. Errors: see open_ledger_file.
  static Expected<std::unique_ptr<SqliteLedger>> open(const std::filesystem::path& path);
  ~SqliteLedger() override;

  std::optional<Record> find(const Digest& key) const override;
  void refresh() override;
  // All records that find() finds, in no order.
  void each_record(const std::function<void(const Record&)>& visit) const;
  Expected<void> commit(const Record& record, const std::vector<std::string>& owners) override;
  Expected<void> add_owners(const Digest& key, const std::vector<std::string>& owners) override;

  std::optional<Digest> file_digest(const std::filesystem::path& path, std::uint64_t size_bytes,
                                    std::int64_t modified_ns, std::uint64_t inode) const override;
  // Durable with the next commit, after some hundreds, or when the ledger goes: losing one costs a re-read.
  void remember_file(const std::filesystem::path& path, std::uint64_t size_bytes, std::int64_t modified_ns,
                     std::uint64_t inode, const Digest& digest) override;

  std::optional<StepMemory> last_step(const std::string& batch, const std::string& customer,
                                      const std::string& step) const override;
  Expected<void> remember_steps(const std::string& batch,
                                const std::vector<std::tuple<std::string, std::string, StepMemory>>& steps) override;
  std::optional<OutputMemory> last_output(const std::filesystem::path& absolute) const override;
  Expected<void> remember_output(const std::filesystem::path& absolute, const OutputMemory& memory) override;

  // Runs and the keys they use, for Leases (leases.h), which knows which runs still live.
  struct RunRow {
    std::string id;
    std::int64_t pid = 0;
    std::int64_t started_ns = 0;
    std::vector<std::string> customers{};  // ids; whom it works for
  };
  Expected<void> add_run(const RunRow& run);
  // The keys are in use from now on, and were last used at `used_ns`, since the epoch.
  Expected<void> add_leases(const std::string& run, std::span<const Digest> keys, std::int64_t used_ns);
  Expected<void> remove_run(const std::string& run);  // and its leases; that there was one is remembered
  Expected<std::vector<RunRow>> runs();
  Expected<std::vector<Digest>> leases_of(const std::string& run);

  // Whose a file or folder outside the cache is, as the runs tell (artifact/owned_path.h).
  Expected<void> own_paths(std::span<const OwnedPath> paths);

  // For this room's ledger_facts.h and ledger_purge.h: `body` in one transaction, a durable one where it writes.
  using Body = std::function<void(SqliteConnection&)>;
  Expected<void> read(const Body& body);
  Expected<void> write(const Body& body);  // with the remembered file digests that wait
  // As write(), of a body that takes rows away; what is held in memory is read anew.
  Expected<void> rewrite(const Body& body);
  // Writes the file anew, so that nothing deleted is left in it, and empties the write-ahead log.
  Expected<void> compact();

 private:
  SqliteLedger(std::filesystem::path path, std::unique_ptr<SqliteConnection> connection);
  void write_pending_files();
  void insert_owners(SqliteConnection& connection, const Digest& key, const std::vector<std::string>& owners);

  std::filesystem::path path_;
  std::mutex connection_mutex_;  // taken before index_mutex_
  std::unique_ptr<SqliteConnection> connection_;
  std::int64_t data_version_ = -1;          // changes when another connection commits
  std::vector<std::string> pending_files_;  // paths whose digests are not on disk yet

  mutable std::shared_mutex index_mutex_;
  LedgerIndex index_;
};

}  // namespace atelier
