// run: puts an output where the user finds it: written to a temporary name beside its path and renamed into place, so
// that it is there whole or not at all.
#pragma once
#include <filesystem>
#include <string>

#include "artifact/port_type.h"
#include "artifact/store.h"
#include "base/files.h"

namespace atelier {

class OutputWriter {
 public:
  // `out`: absolute. All must outlive it.
  OutputWriter(Files& files, Ledger& ledger, FileDigest digest, std::filesystem::path out)
      : files_(files), ledger_(ledger), digest_(std::move(digest)), out_(std::move(out)) {}

  // Writes `artifact`, whose digest is `source`, to `path` (relative to out; a '/' at its end makes a folder), readable
  // by the owner only, remembers it in the ledger and returns the digest of what stands there. What was written there
  // before is replaced; what was not written by a run stays, unless it is the same to the byte. Errors: the path leaves
  // out, is taken, or goes through a file; what the port type or the system says.
  Expected<Digest> write(const Artifact& artifact, const Digest& source, const PortType& type, const std::string& path);

 private:
  Expected<void> check_place(const std::filesystem::path& relative) const;
  Expected<bool> ours(const std::filesystem::path& place, const Digest& made) const;
  Expected<void> put_into_place(const std::filesystem::path& made, const std::filesystem::path& place);

  Files& files_;
  Ledger& ledger_;
  FileDigest digest_;
  std::filesystem::path out_;
};

}  // namespace atelier
