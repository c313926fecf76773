// cache: leases, which keys the runs that now live are using, so that a collection of garbage or a purge leaves them
// alone. A run's rows are in the ledger; that it lives is shown by a lock, which its death frees.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <unordered_set>

#include "base/clock.h"
#include "base/files.h"
#include "cache/sqlite_ledger.h"

namespace atelier {

// A living run. Its leases end with it.
class RunLease {
 public:
  virtual ~RunLease() = default;
  // From now on the run uses these keys, besides those it named before. Durable when it returns.
  virtual Expected<void> hold(std::span<const Digest> keys) = 0;
};

class Leases {
 public:
  // `files`, `ledger` and `clock` must outlive it; `locks` is an existing folder.
  Leases(Files& files, SqliteLedger& ledger, const Clock& clock, std::filesystem::path locks);

  // Registers a run; `id` must suit a file name and be the run's own. Error: a living run has that id.
  Expected<std::unique_ptr<RunLease>> begin_run(const std::string& id);

  // All keys that living runs use. Runs that died without ending are taken out on the way.
  Expected<std::unordered_set<Digest>> held();

 private:
  std::filesystem::path lock_of(const std::string& id) const;

  Files& files_;
  SqliteLedger& ledger_;
  const Clock& clock_;
  std::filesystem::path locks_;
};

}  // namespace atelier
