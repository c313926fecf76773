// base: the seam all disk work of the store, the ledger's surroundings and the outputs goes through. Native paths in,
// Expected out; what is missing is an empty optional, never an error.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace atelier {

// What tells whether a file may have changed.
struct FileStat {
  enum class Type { file, folder, other } type = Type::file;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;  // since the epoch
  std::uint64_t inode = 0;
  bool operator==(const FileStat&) const = default;
};

// Bytes of a file, read-only and valid as long as the object lives (a mapping for the real files).
class FileBytes {
 public:
  virtual ~FileBytes() = default;
  virtual std::span<const std::byte> bytes() const = 0;
};

// A file being written. Not visible under its final name until Files::rename.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  virtual Expected<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual Expected<void> sync() = 0;   // durable when it returns
  virtual Expected<void> close() = 0;  // also done by the destructor, there without telling errors
};

// An exclusive lock between processes (flock), freed when the object or its process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class Files {
 public:
  virtual ~Files() = default;
  virtual Expected<std::optional<FileStat>> stat(const std::filesystem::path& path) = 0;               // follows links
  virtual Expected<std::vector<std::filesystem::path>> list(const std::filesystem::path& folder) = 0;  // names, sorted
  virtual Expected<std::shared_ptr<const FileBytes>> read(const std::filesystem::path& path) = 0;
  virtual Expected<std::unique_ptr<FileWriter>> create(const std::filesystem::path& path) = 0;  // 0600, truncates
  virtual Expected<void> make_folders(const std::filesystem::path& folder) = 0;                 // 0700, durable
  virtual Expected<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual Expected<void> sync_folder(const std::filesystem::path& folder) = 0;  // its names; of a file: its bytes
  virtual Expected<void> remove_all(const std::filesystem::path& path) = 0;     // absent is fine
  virtual Expected<std::unique_ptr<FileLock>> try_lock(const std::filesystem::path& path) = 0;  // null: held elsewhere
  virtual Expected<std::uint64_t> free_bytes(const std::filesystem::path& folder) = 0;
};

// The real ones. Errors say the path and the system's reason.
std::unique_ptr<Files> make_posix_files();

// Writes `bytes` to `path` so that it appears whole or not at all: temporary file beside it, fsync, rename, fsync of
// the folder.
Expected<void> write_file(Files& files, const std::filesystem::path& path, std::span<const std::byte> bytes);
Expected<void> write_file(Files& files, const std::filesystem::path& path, std::string_view text);
Expected<std::string> read_text(Files& files, const std::filesystem::path& path);

}  // namespace atelier
