// cache: a customer forgotten: all that the cache, the outputs and the ledger hold of nobody else. Whose something is
// follows from the ledger's owners; what others own too stays, and is told.
//
// The runs' folders are their reader's (report/forget_customer.h): the plan names them, and they come first, so that a
// purge that was cut off finds everything again.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "cache/cache.h"
#include "cache/ledger_purge.h"
#include "cache/stored_files.h"

namespace atelier {

struct KeptForOthers {
  Digest key;
  std::string node;
  std::vector<std::string> customers;  // who else owns it, sorted; empty: a whole batch does
};

struct PurgePlan {
  std::string customer;
  bool known = false;                               // the ledger has heard of the customer
  std::vector<Digest> keys;                         // that nobody else owns, or that have no owner at all; sorted
  std::vector<StoredFile> files;                    // of these keys
  std::vector<KeptForOthers> kept;                  // by key
  std::vector<std::filesystem::path> outputs;       // files and folders that runs wrote; sorted
  std::vector<std::filesystem::path> kept_outputs;  // written for others too
  std::vector<std::filesystem::path> runs;          // folders of runs that worked for the customer
  std::vector<std::filesystem::path> file_digests;  // remembered of these files; sorted
  std::size_t memories = 0;                         // of steps
  std::unordered_set<Digest> digests;               // that only this customer had
};

// What is to go, by what is known: pure, but for `exists`, which tells whether a file still stands. Keys without an
// owner are left where `ownerless_too` is false.
PurgePlan plan_purge(const std::string& customer, const LedgerRows& rows, const StoredFiles& stored, bool ownerless_too,
                     const std::function<bool(const std::filesystem::path&)>& exists);

class Purge {
 public:
  // Takes the cache's lock against leases and keeps it. Errors: a living run works for the customer or uses what is to
  // go; another process removes from the cache; what the ledger or the system says.
  static Expected<std::unique_ptr<Purge>> begin(Files& files, Cache& cache, const std::string& customer);

  const PurgePlan& plan() const { return plan_; }

  // Content, previews, checkpoints, quarantine; outputs, and the folders that they leave empty. What is gone already is
  // fine.
  Expected<void> remove_files();
  // The ledger's rows, last.
  Expected<void> forget();
  // Where a digest that only this customer had still stands in the cache: sentences, none where all went well.
  Expected<std::vector<std::string>> traces() const;

 private:
  Purge(Files& files, Cache& cache, std::unique_ptr<FileLock> lock)
      : files_(files), cache_(cache), lock_(std::move(lock)) {}
  Expected<void> remove_output(const std::filesystem::path& output);

  Files& files_;
  Cache& cache_;
  std::unique_ptr<FileLock> lock_;
  PurgePlan plan_;
};

}  // namespace atelier
