// cache: leases, which keys the runs that now live are using, so that a collection of garbage or a purge leaves them
// alone. A run's rows are in the ledger; that it lives is shown by a lock, which its death frees. Who removes something
// takes the cache's lock, and for that time no run begins and none names new keys.
#pragma once
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "cache/sqlite_ledger.h"

namespace atelier {

// A living run. Its leases end with it.
class RunLease {
 public:
  virtual ~RunLease() = default;
  // From now on the run uses these keys, besides those it named before. Durable when it returns; waits while something
  // is removed from the cache.
  virtual Expected<void> hold(std::span<const Digest> keys) = 0;
};

struct LivingRun {
  std::int64_t pid = 0;
  std::int64_t started_ns = 0;           // since the epoch
  std::vector<std::string> customers{};  // whom it works for
  std::unordered_set<Digest> keys{};     // that it uses
};

class Leases {
 public:
  // `files`, `ledger` and `clock` must outlive it; `locks` is an existing folder.
  Leases(Files& files, SqliteLedger& ledger, const Clock& clock, std::filesystem::path locks);

  // Registers a run for `customers` (ids); `id` must suit a file name and be the run's own. Waits while something is
  // removed from the cache. Error: a living run has that id.
  Expected<std::unique_ptr<RunLease>> begin_run(const std::string& id, const std::vector<std::string>& customers = {});

  // Runs that died without ending are taken out on the way.
  Expected<std::vector<LivingRun>> living();
  // All keys that living runs use.
  Expected<std::unordered_set<Digest>> held();

  // The cache's lock, for who removes something. Error: another has it.
  Expected<std::unique_ptr<FileLock>> exclude();

 private:
  class LedgerLease;
  Expected<std::unique_ptr<FileLock>> lock_within(std::chrono::milliseconds most);
  std::filesystem::path lock_of(const std::string& id) const;
  std::int64_t now_ns() const;

  Files& files_;
  SqliteLedger& ledger_;
  const Clock& clock_;
  std::filesystem::path locks_;
};

}  // namespace atelier
