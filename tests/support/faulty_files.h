// support: a disk that fails, fills up, tears a write or dies at its Nth operation, over any Files; and a ledger that
// stands on the same disk. Thread-safe. For every N of a small night: run until an N is beyond its end.
#pragma once
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "artifact/store.h"
#include "base/files.h"

namespace atelier {

enum class DiskFault {
  none,
  fails,  // the Nth operation does nothing and tells an I/O error; the next ones are well
  fills,  // from the Nth operation that takes room on there is none: of its bytes the first half is written
  tears,  // of the bytes of the Nth write the second half is zeros, and nobody is told
  dies,   // from the Nth operation that changes something on, all fail: the process's end, seen from the disk
};

class FaultyFiles final : public Files {
 public:
  using Path = std::filesystem::path;
  explicit FaultyFiles(Files& disk) : disk_(disk) {}

  // The operations that the fault may befall are counted from 1, from now on; `below`: only writes to files there tear.
  void plan(DiskFault fault, std::size_t at, Path below = "/") {
    const std::scoped_lock lock(mutex_);
    fault_ = fault;
    at_ = at;
    below_ = std::move(below);
    count_ = all_ = 0;
  }
  void heal() { plan(DiskFault::none, 0); }
  bool struck() const {
    const std::scoped_lock lock(mutex_);
    return fault_ != DiskFault::none && count_ >= at_;
  }
  std::size_t operations() const {  // of all kinds, since the plan was made
    const std::scoped_lock lock(mutex_);
    return all_;
  }

  Expected<std::optional<FileStat>> stat(const Path& path) override {
    if (auto well = before(Kind::reads, path); !well) return tl::unexpected(well.error());
    return disk_.stat(path);
  }
  Expected<std::vector<Path>> list(const Path& folder) override {
    if (auto well = before(Kind::reads, folder); !well) return tl::unexpected(well.error());
    return disk_.list(folder);
  }
  Expected<std::shared_ptr<const FileBytes>> read(const Path& path) override {
    if (auto well = before(Kind::reads, path); !well) return tl::unexpected(well.error());
    return disk_.read(path);
  }
  Expected<std::unique_ptr<FileWriter>> create(const Path& path) override {
    if (auto well = before(Kind::takes_room, path); !well) return tl::unexpected(well.error());
    auto writer = disk_.create(path);
    if (!writer) return writer;
    return std::make_unique<Writer>(*this, path, std::move(*writer));
  }
  Expected<void> make_folders(const Path& folder) override {
    if (auto well = before(Kind::takes_room, folder); !well) return well;
    return disk_.make_folders(folder);
  }
  Expected<void> rename(const Path& from, const Path& to) override {
    if (auto well = before(Kind::changes, to); !well) return well;
    return disk_.rename(from, to);
  }
  Expected<void> sync_folder(const Path& folder) override {
    if (auto well = before(Kind::changes, folder); !well) return well;
    return disk_.sync_folder(folder);
  }
  Expected<void> remove_all(const Path& path) override {
    if (auto well = before(Kind::changes, path); !well) return well;
    return disk_.remove_all(path);
  }
  Expected<std::unique_ptr<FileLock>> try_lock(const Path& path) override {
    if (auto well = before(Kind::changes, path); !well) return tl::unexpected(well.error());
    auto lock = disk_.try_lock(path);
    if (!lock || !*lock) return lock;
    return std::make_unique<Lock>(*this, std::move(*lock));
  }
  Expected<std::uint64_t> free_bytes(const Path& folder) override {  // not counted: it is asked for now and then
    const std::scoped_lock lock(mutex_);
    if (fault_ == DiskFault::fills && count_ >= at_) return std::uint64_t{0};
    return disk_.free_bytes(folder);
  }

 private:
  friend class FaultyLedger;
  enum class Kind { reads, changes, takes_room, writes };
  enum class Fate { well, torn, half };

  class Writer final : public FileWriter {
   public:
    Writer(FaultyFiles& files, Path path, std::unique_ptr<FileWriter> writer)
        : files_(files), path_(std::move(path)), writer_(std::move(writer)) {}
    Expected<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
      Fate fate = Fate::well;
      const auto well = files_.before(Kind::writes, path_, &fate);
      const std::size_t half = bytes.size() / 2;
      if (fate == Fate::half) (void)writer_->write_at(offset, bytes.first(half));
      if (!well) return well;
      if (fate == Fate::well) return writer_->write_at(offset, bytes);
      std::vector<std::byte> torn(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(half));
      torn.resize(bytes.size());
      return writer_->write_at(offset, torn);
    }
    Expected<void> sync() override {
      if (auto well = files_.before(Kind::changes, path_); !well) return well;
      return writer_->sync();
    }
    Expected<void> close() override {
      if (auto well = files_.before(Kind::reads, path_); !well) return well;
      return writer_->close();
    }

   private:
    FaultyFiles& files_;
    Path path_;
    std::unique_ptr<FileWriter> writer_;
  };

  // The dead remove no lock's file.
  class Lock final : public FileLock {
   public:
    Lock(FaultyFiles& files, std::unique_ptr<FileLock> lock) : files_(files), lock_(std::move(lock)) {}
    ~Lock() override {
      const std::scoped_lock hold(files_.mutex_);
      if (files_.fault_ == DiskFault::dies && files_.count_ >= files_.at_)
        files_.of_the_dead_.push_back(std::move(lock_));
    }

   private:
    FaultyFiles& files_;
    std::unique_ptr<FileLock> lock_;
  };

  bool befalls(Kind kind, const Path& path) const {
    switch (fault_) {
      case DiskFault::none:
        return false;
      case DiskFault::fails:
        return true;
      case DiskFault::fills:
        return kind == Kind::takes_room || kind == Kind::writes;
      case DiskFault::tears:
        return kind == Kind::writes && !path.lexically_relative(below_).native().starts_with("..");
      case DiskFault::dies:
        return kind != Kind::reads || count_ >= at_;
    }
    return false;
  }

  Expected<void> before(Kind kind, const Path& path, Fate* fate = nullptr) {
    const std::scoped_lock lock(mutex_);
    ++all_;
    if (!befalls(kind, path)) return {};
    ++count_;
    const bool first = count_ == at_;
    if (!first && (count_ < at_ || fault_ == DiskFault::fails || fault_ == DiskFault::tears)) return {};
    if (fault_ == DiskFault::tears) {
      *fate = Fate::torn;
      return {};
    }
    if (fault_ == DiskFault::fails) return failure(path.string() + ": Input/output error", ErrorKind::transient);
    if (first && fate) *fate = Fate::half;
    if (fault_ == DiskFault::dies) return failure(path.string() + ": the machine is down", ErrorKind::fault);
    return failure(path.string() + ": No space left on device", ErrorKind::disk_full);
  }

  Files& disk_;
  mutable std::mutex mutex_;
  DiskFault fault_ = DiskFault::none;
  std::size_t at_ = 0, count_ = 0, all_ = 0;
  Path below_ = "/";
  std::vector<std::unique_ptr<FileLock>> of_the_dead_;
};

// A commit is done whole or not at all.
class FaultyLedger final : public Ledger {
 public:
  FaultyLedger(Ledger& ledger, FaultyFiles& disk) : ledger_(ledger), disk_(disk) {}
  std::optional<Record> find(const Digest& key) const override { return ledger_.find(key); }
  void refresh() override { ledger_.refresh(); }
  Expected<void> commit(const Record& record, const std::vector<std::string>& owners) override {
    return written([&] { return ledger_.commit(record, owners); });
  }
  Expected<void> add_owners(const Digest& key, const std::vector<std::string>& owners) override {
    return written([&] { return ledger_.add_owners(key, owners); });
  }
  std::optional<Digest> file_digest(const std::filesystem::path& path, std::uint64_t size, std::int64_t modified_ns,
                                    std::uint64_t inode) const override {
    return ledger_.file_digest(path, size, modified_ns, inode);
  }
  void remember_file(const std::filesystem::path& path, std::uint64_t size, std::int64_t modified_ns,
                     std::uint64_t inode, const Digest& digest) override {
    ledger_.remember_file(path, size, modified_ns, inode, digest);
  }
  std::optional<StepMemory> last_step(const std::string& batch, const std::string& customer,
                                      const std::string& step) const override {
    return ledger_.last_step(batch, customer, step);
  }
  Expected<void> remember_steps(const std::string& batch,
                                const std::vector<std::tuple<std::string, std::string, StepMemory>>& steps) override {
    return written([&] { return ledger_.remember_steps(batch, steps); });
  }
  std::optional<OutputMemory> last_output(const std::filesystem::path& absolute) const override {
    return ledger_.last_output(absolute);
  }
  Expected<void> remember_output(const std::filesystem::path& absolute, const OutputMemory& memory) override {
    return written([&] { return ledger_.remember_output(absolute, memory); });
  }

 private:
  template <class Write>
  Expected<void> written(const Write& write) {
    if (auto well = disk_.before(FaultyFiles::Kind::takes_room, "ledger"); !well) return well;
    return write();
  }

  Ledger& ledger_;
  FaultyFiles& disk_;
};

}  // namespace atelier
