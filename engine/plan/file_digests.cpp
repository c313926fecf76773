#include "plan/file_digests.h"

#include <fmt/format.h>
#include <chrono>

namespace atelier {
namespace {

constexpr std::chrono::nanoseconds kSettled = std::chrono::seconds(2);  // file systems' coarsest mtime step, FAT's

Expected<Digest> read_digest(Files& files, const std::filesystem::path& path) {
  const auto read = files.read(path);
  if (!read) return tl::unexpected(read.error());
  return sha256((*read)->bytes());
}

bool is_settled(const FileStat& stat, const Clock& clock) {
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(clock.wall().time_since_epoch());
  return now.count() - stat.modified_ns > kSettled.count();
}

Expected<Digest> digest_file(Files& files, Ledger& ledger, const Clock& clock, const std::filesystem::path& path) {
  const auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return failure(fmt::format("{}: there is no such file", path.string()));
  const FileStat& s = **stat;
  if (s.type != FileStat::Type::file) return failure(fmt::format("{}: is not a file", path.string()));
  const bool settled = is_settled(s, clock);
  if (settled)
    if (const auto known = ledger.file_digest(path, s.size_bytes, s.modified_ns, s.inode)) return *known;
  const auto digest = read_digest(files, path);
  if (digest && settled) {
    const auto after = files.stat(path);  // changed while it was read: not this digest's stat
    if (after && *after == s) ledger.remember_file(path, s.size_bytes, s.modified_ns, s.inode, *digest);
  }
  return digest;
}

}  // namespace

FileDigest remembered_digests(Files& files, Ledger& ledger, const Clock& clock) {
  return
      [&files, &ledger, &clock](const std::filesystem::path& path) { return digest_file(files, ledger, clock, path); };
}

}  // namespace atelier
