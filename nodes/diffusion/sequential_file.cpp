#include "diffusion/sequential_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace atelier::diffusion {
namespace {

constexpr std::size_t kLarge = std::size_t{64} << 20;  // smaller files are written before a thread for them is worth it
constexpr std::size_t kBlock = std::size_t{4} << 20;   // one request to the disk
constexpr std::size_t kAlignment = 4096;               // of memory, offsets and lengths past the page cache
constexpr std::size_t kBlocks = 6;                     // being filled, waiting and being written
constexpr std::size_t kWriters = 2;                    // requests that the disk has at a time

/// The open file.
class Output {
 public:
  Output(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  ~Output() {
    if (fd_ >= 0) ::close(fd_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  tl::unexpected<Error> error() const {
    return fail(fmt::format("{}: cannot be written: {}", path_.string(), std::strerror(errno)));
  }

  Result<void> write_at(std::size_t offset, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0 && errno == EINVAL && use_page_cache()) continue;  // a file system that wants another alignment
      if (done < 0) return error();
      bytes = bytes.subspan(static_cast<std::size_t>(done));
      offset += static_cast<std::size_t>(done);
    }
    return {};
  }

  /// Whether it went past the page cache until now.
  bool use_page_cache() const {
    const int flags = ::fcntl(fd_, F_GETFL);
    return (flags & O_DIRECT) != 0 && ::fcntl(fd_, F_SETFL, flags & ~O_DIRECT) == 0;
  }

  Result<void> finish(std::span<const std::byte> beginning) {
    if (auto written = write_at(0, beginning); !written) return written;
    if (::fsync(fd_) != 0) return error();
    if (::close(std::exchange(fd_, -1)) != 0) return error();
    return {};
  }

 private:
  int fd_;
  std::filesystem::path path_;
};

class SmallFile final : public SequentialFile {
 public:
  SmallFile(int fd, const std::filesystem::path& path) : output_(fd, path) {}

  Result<void> append(std::span<const std::byte> bytes) override {
    auto written = output_.write_at(size_, bytes);
    size_ += bytes.size();
    return written;
  }
  Result<void> finish(std::span<const std::byte> beginning) override { return output_.finish(beginning); }

 private:
  Output output_;
  std::size_t size_ = 0;
};

/// Fills aligned blocks, which threads of its own write.
class LargeFile final : public SequentialFile {
 public:
  LargeFile(int fd, const std::filesystem::path& path) : output_(fd, path) {
    for (std::size_t i = 0; i < kBlocks; ++i)
      free_.push_back({static_cast<std::byte*>(std::aligned_alloc(kAlignment, kBlock)), 0, 0});
    for (std::thread& writer : writers_) writer = std::thread([this] { write_blocks(); });
  }

  ~LargeFile() override {
    end_writers();
    for (const auto* blocks : {&free_, &full_})
      for (const Block& block : *blocks) std::free(block.bytes);
    if (filling_) std::free(filling_->bytes);
  }

  Result<void> append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      if (!filling_)
        if (auto taken = take_free(); !taken) return taken;
      const std::size_t count = std::min(bytes.size(), kBlock - filling_->size);
      std::memcpy(filling_->bytes + filling_->size, bytes.data(), count);
      filling_->size += count;
      bytes = bytes.subspan(count);
      if (filling_->size == kBlock) hand_over();
    }
    return {};
  }

  Result<void> finish(std::span<const std::byte> beginning) override {
    end_writers();
    if (failure_) return tl::unexpected(*failure_);
    output_.use_page_cache();  // what is left is not aligned
    if (filling_)
      if (auto written = output_.write_at(filling_->offset, {filling_->bytes, filling_->size}); !written)
        return written;
    return output_.finish(beginning);
  }

 private:
  struct Block {
    std::byte* bytes;
    std::size_t offset, size;
  };

  Result<void> take_free() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !free_.empty() || failure_; });
    if (failure_) return tl::unexpected(*failure_);
    filling_ = free_.front();
    free_.pop_front();
    filling_->offset = std::exchange(next_offset_, next_offset_ + kBlock);
    filling_->size = 0;
    return {};
  }

  void hand_over() {
    {
      const std::lock_guard lock(mutex_);
      full_.push_back(*std::exchange(filling_, std::nullopt));
    }
    changed_.notify_all();
  }

  void write_blocks() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return !full_.empty() || ended_; });
      if (full_.empty()) return;
      const Block block = full_.front();
      full_.pop_front();
      lock.unlock();
      auto written = output_.write_at(block.offset, {block.bytes, block.size});
      lock.lock();
      if (!written && !failure_) failure_ = written.error();
      free_.push_back(block);
      changed_.notify_all();
    }
  }

  /// Waits until all that was handed over is written.
  void end_writers() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    for (std::thread& writer : writers_)
      if (writer.joinable()) writer.join();
  }

  Output output_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Block> free_, full_;
  std::optional<Block> filling_;
  std::size_t next_offset_ = 0;
  bool ended_ = false;
  std::optional<Error> failure_;
  std::array<std::thread, kWriters> writers_;
};

}  // namespace

Result<std::unique_ptr<SequentialFile>> SequentialFile::create(const std::filesystem::path& path, std::size_t size) {
  constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  constexpr mode_t mode = 0666;
  const bool large = size >= kLarge;
  int fd = ::open(path.c_str(), large ? flags | O_DIRECT : flags, mode);
  if (fd < 0 && large && errno == EINVAL) fd = ::open(path.c_str(), flags, mode);  // not on every file system
  if (fd < 0) return fail(fmt::format("{}: cannot be written: {}", path.string(), std::strerror(errno)));
  if (large) return std::make_unique<LargeFile>(fd, path);
  return std::make_unique<SmallFile>(fd, path);
}

}  // namespace atelier::diffusion
