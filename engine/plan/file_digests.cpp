#include "plan/file_digests.h"

#include <fmt/format.h>
#include <chrono>

namespace atelier {
namespace {

// A file changed just now may change again within one step of the file system's clock, under the same mtime. FAT's is
// the coarsest.
constexpr std::chrono::seconds kSettled{2};
constexpr int kAttempts = 3;  // while somebody still writes to the file

Expected<FileStat> stat_of_file(Files& files, const std::filesystem::path& path) {
  const auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return failure(fmt::format("{}: there is no such file", path.string()));
  if ((*stat)->type != FileStat::Type::file) return failure(fmt::format("{}: is not a file", path.string()));
  return **stat;
}

bool is_settled(const FileStat& stat, const Clock& clock) {
  const auto modified =
      std::chrono::duration_cast<Clock::WallTime::duration>(std::chrono::nanoseconds(stat.modified_ns));
  return clock.wall() - Clock::WallTime(modified) >= kSettled;
}

Expected<Digest> digest_file(Files& files, Ledger& ledger, const Clock& clock, const std::filesystem::path& path) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto before = stat_of_file(files, path);
    if (!before) return tl::unexpected(before.error());
    if (const auto known = ledger.file_digest(path, before->size_bytes, before->modified_ns, before->inode))
      return *known;
    const auto read = files.read(path);
    if (!read) return tl::unexpected(read.error());
    const Digest digest = sha256((*read)->bytes());
    const auto after = stat_of_file(files, path);
    if (!after) return tl::unexpected(after.error());
    if (*before != *after) continue;
    if (is_settled(*after, clock))
      ledger.remember_file(path, after->size_bytes, after->modified_ns, after->inode, digest);
    return digest;
  }
  return failure(fmt::format("{}: changes while it is read; wait until it is whole", path.string()),
                 ErrorKind::transient);
}

}  // namespace

FileDigest remembered_digests(Files& files, Ledger& ledger, const Clock& clock) {
  return [&files, &ledger, &clock](const std::filesystem::path& path) {
    return digest_file(files, ledger, clock, std::filesystem::absolute(path).lexically_normal());
  };
}

}  // namespace atelier
