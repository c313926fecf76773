// cache: digests of files, each file read once: its digest is remembered by (path, size, mtime, inode).
#pragma once
#include "artifact/store.h"
#include "base/clock.h"
#include "base/files.h"

namespace atelier {

// Serves as a FileDigest (artifact/port_type.h). Thread-safe where its parts are.
class FileDigests {
 public:
  // All three must outlive it.
  FileDigests(Files& files, Ledger& ledger, const Clock& clock) : files_(files), ledger_(ledger), clock_(clock) {}

  // SHA-256 of the file's bytes. Errors: it is missing, no file, cannot be read, or changed while it was read.
  Expected<Digest> operator()(const std::filesystem::path& path) const;

 private:
  Files& files_;
  Ledger& ledger_;
  const Clock& clock_;
};

}  // namespace atelier
