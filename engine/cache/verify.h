// cache: all content of a cache read and checked: that it is to the byte what was written, and what the ledger says.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cache/hdf5_store.h"
#include "cache/stored_files.h"

namespace atelier {

struct DamagedFile {
  StoredFile file;
  std::string reason;
  std::filesystem::path now;  // where it was put; where that failed, where it was
};

struct VerifyResult {
  std::size_t checked = 0;
  std::uint64_t checked_bytes = 0;
  std::size_t without_record = 0;    // content whose bytes are right, but of which the ledger knows nothing
  std::vector<DamagedFile> damaged;  // by path
};

struct VerifyOptions {
  int threads = 1;
  // Called one call at a time after each file, with all bytes done so far of all there are. May be empty.
  std::function<void(std::uint64_t done, std::uint64_t all)> progress{};
};

// Checks every content file and checkpoint below `cache`, the folder of `store`: the seal against all bytes, the
// layout, and each output's digest against the ledger's record. What fails is put in quarantine, as when it is read.
// What goes meanwhile is passed over; a key that a run computes just now is not compared with its record. Errors: the
// folders cannot be listed.
Expected<VerifyResult> verify_cache(Files& files, const std::filesystem::path& cache, Hdf5Store& store, Ledger& ledger,
                                    const VerifyOptions& options);

}  // namespace atelier
