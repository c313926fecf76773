// Files that do what the real ones do and call `before` first: to count, to record, to fail or to die in between.
#pragma once
#include <functional>
#include <string>

#include "base/files.h"

namespace atelier {

class ForwardingFiles final : public Files {
 public:
  using Path = std::filesystem::path;
  // What is about to happen, as "write", "sync", "rename", "sync_folder" …, and where.
  using Before = std::function<void(const std::string& what, const Path& path)>;
  ForwardingFiles(Files& real, Before before) : real_(real), before_(std::move(before)) {}

  Path unremovable;  // as in a folder of somebody else's

  Expected<std::optional<FileStat>> stat(const Path& path) override { return real_.stat(path); }
  Expected<std::vector<Path>> list(const Path& folder) override { return real_.list(folder); }
  Expected<std::shared_ptr<const FileBytes>> read(const Path& path) override { return real_.read(path); }
  Expected<std::unique_ptr<FileWriter>> create(const Path& path) override {
    before_("create", path);
    auto writer = real_.create(path);
    if (!writer) return writer;
    return std::make_unique<Writer>(*this, path, std::move(*writer));
  }
  Expected<void> make_folders(const Path& folder) override {
    before_("make_folders", folder);
    return real_.make_folders(folder);
  }
  Expected<void> rename(const Path& from, const Path& to) override {
    before_("rename", to);
    return real_.rename(from, to);
  }
  Expected<void> sync_folder(const Path& folder) override {
    before_("sync_folder", folder);
    return real_.sync_folder(folder);
  }
  Expected<void> remove_all(const Path& path) override {
    before_("remove_all", path);
    if (path == unremovable) return failure(path.string() + ": cannot be removed: Permission denied");
    return real_.remove_all(path);
  }
  Expected<std::unique_ptr<FileLock>> try_lock(const Path& path) override { return real_.try_lock(path); }
  Expected<std::uint64_t> free_bytes(const Path& folder) override { return real_.free_bytes(folder); }

 private:
  class Writer final : public FileWriter {
   public:
    Writer(ForwardingFiles& files, Path path, std::unique_ptr<FileWriter> real)
        : files_(files), path_(std::move(path)), real_(std::move(real)) {}
    // In two halves, so that something may happen between them.
    Expected<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
      const std::size_t half = bytes.size() / 2;
      files_.before_("write", path_);
      if (auto r = real_->write_at(offset, bytes.first(half)); !r) return r;
      files_.before_("write on", path_);
      return real_->write_at(offset + half, bytes.subspan(half));
    }
    Expected<void> sync() override {
      files_.before_("sync", path_);
      return real_->sync();
    }
    Expected<void> close() override {
      files_.before_("close", path_);
      return real_->close();
    }

   private:
    ForwardingFiles& files_;
    Path path_;
    std::unique_ptr<FileWriter> real_;
  };

  Files& real_;
  Before before_;
};

}  // namespace atelier
