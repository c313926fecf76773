#include "base/files.h"

#include <unistd.h>
#include <atomic>

#include <fmt/format.h>

namespace atelier {
namespace {

namespace fs = std::filesystem;

// Beside the file, so that the rename stays within a file system; unique across threads and processes.
fs::path temporary_beside(const fs::path& path) {
  static std::atomic<std::uint64_t> count{0};
  return path.parent_path() / fmt::format(".{}.{}-{}.tmp", path.filename().string(), ::getpid(), ++count);
}

Expected<void> write_new(Files& files, const fs::path& path, std::span<const std::byte> bytes) {
  auto writer = files.create(path);
  if (!writer) return tl::unexpected(writer.error());
  if (auto r = (*writer)->write_at(0, bytes); !r) return r;
  if (auto r = (*writer)->sync(); !r) return r;
  return (*writer)->close();
}

}  // namespace

Expected<void> write_file(Files& files, const fs::path& path, std::span<const std::byte> bytes) {
  const fs::path temporary = temporary_beside(path);
  auto written = write_new(files, temporary, bytes);
  if (written) written = files.rename(temporary, path);
  if (!written) {
    (void)files.remove_all(temporary);  // the first error is the one to tell
    return written;
  }
  return files.sync_folder(path.parent_path());
}

Expected<void> write_file(Files& files, const fs::path& path, std::string_view text) {
  return write_file(files, path, std::as_bytes(std::span(text)));
}

Expected<std::string> read_text(Files& files, const fs::path& path) {
  const auto content = files.read(path);
  if (!content) return tl::unexpected(content.error());
  const auto bytes = (*content)->bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace atelier
