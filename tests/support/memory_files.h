// support: Files in memory, the fake of the disk. As POSIX: a rename replaces, a lock is exclusive and a file while it
// is held, what is missing is an empty optional for stat and an error for everything else. What was synced is known, so
// that the power can be cut. Thread-safe.
#pragma once
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"

namespace atelier {

class MemoryFiles final : public Files {
 public:
  using Path = std::filesystem::path;

  // For the test. Paths are compared after lexically_normal(); "/" exists from the start.
  void put(const Path& path, std::string_view text);        // with its folders; counts as a change
  void touch(const Path& path);                             // a new mtime, the same bytes
  void set_modified(const Path& path, std::int64_t ns);     // for "changed within the last two seconds"
  bool exists(const Path& path) const;                      // a file or a folder
  std::optional<std::string> text(const Path& path) const;  // empty where there is no such file
  std::vector<Path> all_files() const;                      // sorted
  void set_capacity(std::uint64_t bytes);                   // writes beyond it fail as a full disk does
  // The next time `path` is read, written or listed it fails once with this error.
  void fail_next(const Path& path, Error error);
  std::size_t reads() const;  // how often read() was called

  // What is lost when all processes end at once.
  enum class Loss {
    nothing,     // they were killed
    late_bytes,  // the power was cut, and the disk had been told of names sooner than of bytes: half of what was
                 // written to a file since its last sync is there
    unsynced,  // the power was cut: what no sync or sync_folder has made durable is not there
  };
  void end_all(Loss loss);  // when no writer and no lock is in anybody's hands any more

  Expected<std::optional<FileStat>> stat(const Path& path) override;
  Expected<std::vector<Path>> list(const Path& folder) override;
  Expected<std::shared_ptr<const FileBytes>> read(const Path& path) override;
  Expected<std::unique_ptr<FileWriter>> create(const Path& path) override;
  Expected<void> make_folders(const Path& folder) override;
  Expected<void> rename(const Path& from, const Path& to) override;
  Expected<void> sync_folder(const Path& folder) override;
  Expected<void> remove_all(const Path& path) override;
  Expected<std::unique_ptr<FileLock>> try_lock(const Path& path) override;
  Expected<std::uint64_t> free_bytes(const Path& folder) override;

 private:
  struct File;
  struct Entry {
    std::shared_ptr<File> file;  // null: a folder
    std::int64_t modified_ns = 0;
    std::uint64_t inode = 0;
  };
  class Writer;
  class Lock;

  static Path normal(const Path& path);
  std::optional<Error> planned_failure(const Path& path);
  Entry new_entry(std::shared_ptr<File> file);
  void make_parents(const Path& path);
  void make_name_durable(const Path& path);
  void restore(const Path& folder, std::map<Path, Entry>& entries) const;

  // Writers and locks may outlive the call that made them, never this object.
  mutable std::mutex mutex_;
  std::map<Path, Entry> entries_{{Path("/"), Entry{}}};
  std::map<std::uint64_t, std::map<Path, Entry>> durable_names_;  // by the folder's inode
  std::set<Path> locked_;
  std::map<Path, Error> failures_;
  std::uint64_t capacity_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t used_ = 0;
  std::uint64_t next_inode_ = 1;
  std::int64_t time_ns_ = 1'700'000'000'000'000'000;  // advances by a second with every change
  std::size_t reads_ = 0;
};

}  // namespace atelier
