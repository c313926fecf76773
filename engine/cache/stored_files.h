// cache: the files of a store by what they are, for those who look after a cache.
#pragma once
#include <filesystem>
#include <vector>

#include "base/digest.h"
#include "base/files.h"

namespace atelier {

enum class StoredKind { content, checkpoint, quarantine };

struct StoredFile {
  StoredKind kind = StoredKind::content;
  Digest key;
  std::filesystem::path path;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;  // since the epoch
};

struct StoredFiles {
  std::vector<StoredFile> files;                 // by kind, then by name
  std::vector<std::filesystem::path> strangers;  // below content, checkpoints and quarantine, of no name that we give
};

// All that stands in the store's folder. A file that goes while it is looked at is left out.
Expected<StoredFiles> stored_files(Files& files, const std::filesystem::path& cache);

}  // namespace atelier
