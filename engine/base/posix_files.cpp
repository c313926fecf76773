#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "base/files.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFileMode = 0600, kFolderMode = 0700;  // photos of customers: for their owner only

// What is wrong with the path itself stays wrong; the rest (an I/O error) may come back.
ErrorKind kind_of(int code) {
  switch (code) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case EEXIST:
    case ENOTEMPTY:
    case ENAMETOOLONG:
      return ErrorKind::input;
    case ENOMEM:
      return ErrorKind::out_of_memory;
    case ENOSPC:
    case EDQUOT:
      return ErrorKind::disk_full;
    default:
      return ErrorKind::transient;
  }
}

tl::unexpected<Error> refused(const fs::path& path, std::string_view what, int code) {
  return failure(fmt::format("{}: {}: {}", path.string(), what, std::generic_category().message(code)), kind_of(code));
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int close() noexcept { return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

Descriptor open_file(const fs::path& path, int flags) {
  int fd;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, kFileMode);
  while (fd < 0 && errno == EINTR);
  return Descriptor(fd);
}

class Mapping final : public FileBytes {
 public:
  Mapping(void* start, std::size_t size) noexcept : start_(start), size_(size) {}
  ~Mapping() override {
    if (size_ > 0) ::munmap(start_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::span<const std::byte> bytes() const override { return {static_cast<const std::byte*>(start_), size_}; }

 private:
  void* start_;
  std::size_t size_;
};

class PosixWriter final : public FileWriter {
 public:
  PosixWriter(fs::path path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}

  Expected<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t done = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return refused(path_, "cannot be written", done < 0 ? errno : EIO);
      offset += static_cast<std::uint64_t>(done);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return {};
  }
  Expected<void> sync() override {
    if (::fsync(file_.get()) != 0) return refused(path_, "cannot be flushed to disk", errno);
    return {};
  }
  Expected<void> close() override {
    if (file_.close() != 0) return refused(path_, "cannot be closed", errno);
    return {};
  }

 private:
  fs::path path_;
  Descriptor file_;
};

// The lock's file is removed with the lock, so that the folder of locks does not grow by a file per key.
class PosixLock final : public FileLock {
 public:
  PosixLock(fs::path path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  ~PosixLock() override { ::unlink(path_.c_str()); }

 private:
  fs::path path_;
  Descriptor file_;
};

// Whether `file` is still what stands at `path`: another holder may have removed it between our open and our flock.
bool still_at(const Descriptor& file, const fs::path& path) {
  struct stat held {
  }, there{};
  return ::fstat(file.get(), &held) == 0 && ::stat(path.c_str(), &there) == 0 && held.st_ino == there.st_ino &&
         held.st_dev == there.st_dev;
}

class PosixFiles final : public Files {
 public:
  Expected<std::optional<FileStat>> stat(const fs::path& path) override {
    struct stat s {};
    if (::stat(path.c_str(), &s) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      return refused(path, "cannot be looked at", errno);
    }
    FileStat result;
    result.type = S_ISREG(s.st_mode)   ? FileStat::Type::file
                  : S_ISDIR(s.st_mode) ? FileStat::Type::folder
                                       : FileStat::Type::other;
    result.size_bytes = static_cast<std::uint64_t>(s.st_size);
    result.modified_ns = std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec;
    result.inode = s.st_ino;
    return result;
  }

  Expected<std::vector<fs::path>> list(const fs::path& folder) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
    if (!open) return refused(folder, "cannot be listed", errno);
    std::vector<fs::path> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(open.get());
      if (!entry) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return refused(folder, "cannot be listed", errno);
    std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.native() < b.native(); });
    return names;
  }

  Expected<std::shared_ptr<const FileBytes>> read(const fs::path& path) override {
    const Descriptor file = open_file(path, O_RDONLY);
    if (!file) return refused(path, "cannot be read", errno);
    struct stat s {};
    if (::fstat(file.get(), &s) != 0) return refused(path, "cannot be read", errno);
    if (S_ISDIR(s.st_mode)) return refused(path, "cannot be read", EISDIR);
    const auto size = static_cast<std::size_t>(s.st_size);
    if (size == 0) return std::make_shared<const Mapping>(nullptr, 0);
    void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (start == MAP_FAILED) return refused(path, "cannot be read", errno);
    return std::make_shared<const Mapping>(start, size);
  }

  Expected<std::unique_ptr<FileWriter>> create(const fs::path& path) override {
    Descriptor file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file) return refused(path, "cannot be created", errno);
    return std::make_unique<PosixWriter>(path, std::move(file));
  }

  Expected<void> make_folders(const fs::path& folder) override {
    if (folder.empty()) return {};
    if (::mkdir(folder.c_str(), kFolderMode) == 0) return sync_folder(folder.parent_path());
    if (errno == ENOENT && folder.has_parent_path() && folder.parent_path() != folder) {
      if (auto parents = make_folders(folder.parent_path()); !parents) return parents;
      if (::mkdir(folder.c_str(), kFolderMode) == 0) return sync_folder(folder.parent_path());
    }
    const int code = errno;
    struct stat s {};
    if (code == EEXIST && ::stat(folder.c_str(), &s) == 0 && S_ISDIR(s.st_mode)) return {};
    return refused(folder, "the folder cannot be made", code);
  }

  Expected<void> rename(const fs::path& from, const fs::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0)
      return refused(from, fmt::format("cannot be renamed to {}", to.string()), errno);
    return {};
  }

  Expected<void> sync_folder(const fs::path& folder) override {
    const Descriptor open = open_file(folder.empty() ? "." : folder, O_RDONLY);
    if (!open || ::fsync(open.get()) != 0) return refused(folder, "cannot be flushed to disk", errno);
    return {};
  }

  Expected<void> remove_all(const fs::path& path) override {
    std::error_code code;
    fs::remove_all(path, code);
    if (code) return refused(path, "cannot be removed", code.value());
    return {};
  }

  Expected<std::unique_ptr<FileLock>> try_lock(const fs::path& path) override {
    for (;;) {
      Descriptor file = open_file(path, O_RDWR | O_CREAT);
      if (!file) return refused(path, "cannot be locked", errno);
      int result;
      do result = ::flock(file.get(), LOCK_EX | LOCK_NB);
      while (result != 0 && errno == EINTR);
      if (result != 0 && errno == EWOULDBLOCK) return std::unique_ptr<FileLock>();
      if (result != 0) return refused(path, "cannot be locked", errno);
      if (still_at(file, path)) return std::make_unique<PosixLock>(path, std::move(file));
    }
  }

  Expected<std::uint64_t> free_bytes(const fs::path& folder) override {
    struct statvfs s {};
    if (::statvfs(folder.c_str(), &s) != 0) return refused(folder, "the free space cannot be told", errno);
    return std::uint64_t{s.f_bavail} * s.f_frsize;
  }
};

}  // namespace

std::unique_ptr<Files> make_posix_files() { return std::make_unique<PosixFiles>(); }

}  // namespace atelier
