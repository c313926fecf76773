// cache: the cache folder as a whole: the store, the ledger and the leases.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cache/hdf5_store.h"
#include "cache/leases.h"
#include "cache/sqlite_ledger.h"

namespace atelier {

class Cache {
 public:
  Store& store() { return *store_; }
  Ledger& ledger() { return *ledger_; }
  Leases& leases() { return leases_; }
  const std::filesystem::path& folder() const { return folder_; }

  // For those who look after the cache.
  Hdf5Store& store_on_disk() { return *store_; }
  SqliteLedger& ledger_on_disk() { return *ledger_; }

 private:
  friend Expected<std::unique_ptr<Cache>> open_cache(Files&, const std::filesystem::path&, Told, const Clock&);
  Cache(Files& files, std::filesystem::path folder, std::unique_ptr<Hdf5Store> store,
        std::unique_ptr<SqliteLedger> ledger, const Clock& clock);

  std::filesystem::path folder_;
  std::unique_ptr<Hdf5Store> store_;
  std::unique_ptr<SqliteLedger> ledger_;
  Leases leases_;
};

// Opens the cache in `folder`, made where there is none and readable by its owner only. `told` gets sentences for
// people: what did not verify, or that the folder is not on a local file system. `files` and `clock` must outlive the
// cache. Errors: the folder cannot be made or written; the ledger is damaged or of a newer version.
Expected<std::unique_ptr<Cache>> open_cache(Files& files, const std::filesystem::path& folder, Told told,
                                            const Clock& clock);

// `$XDG_CACHE_HOME/atelier`, or `~/.cache/atelier` where that is not set or not absolute. Both arguments are what
// std::getenv gives. Error: neither is set.
Expected<std::filesystem::path> default_cache_folder(const char* xdg_cache_home, const char* home);

// The kind of file system that a type of statfs is, where it is not a local one ("NFS" …): there locks and renames do
// not hold what the cache needs of them. Empty for local ones.
std::string remote_file_system(std::uint64_t statfs_type);

}  // namespace atelier
