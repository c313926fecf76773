#include "cache/file_digests.h"

#include <fmt/format.h>

namespace atelier {
namespace {

namespace fs = std::filesystem;

// A file changed just now may change again within one tick of the file system's clock, under the same mtime.
constexpr std::chrono::seconds kSettled{2};
constexpr int kAttempts = 3;

Expected<FileStat> stat_of_file(Files& files, const fs::path& path) {
  const auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return failure(fmt::format("{}: there is no such file", path.string()));
  if ((*stat)->type != FileStat::Type::file) return failure(fmt::format("{}: is not a file", path.string()));
  return **stat;
}

}  // namespace

Expected<Digest> FileDigests::operator()(const fs::path& path) const {
  const fs::path place = fs::absolute(path).lexically_normal();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto before = stat_of_file(files_, place);
    if (!before) return tl::unexpected(before.error());
    if (const auto known = ledger_.file_digest(place, before->size_bytes, before->modified_ns, before->inode))
      return *known;
    const auto content = files_.read(place);
    if (!content) return tl::unexpected(content.error());
    const Digest digest = sha256((*content)->bytes());
    const auto after = stat_of_file(files_, place);
    if (!after) return tl::unexpected(after.error());
    if (*before != *after || (*content)->bytes().size() != after->size_bytes) continue;
    const Clock::WallTime modified{
        std::chrono::duration_cast<Clock::WallTime::duration>(std::chrono::nanoseconds(after->modified_ns))};
    if (clock_.wall() - modified >= kSettled)
      ledger_.remember_file(place, after->size_bytes, after->modified_ns, after->inode, digest);
    return digest;
  }
  return failure(fmt::format("{}: changes while it is read; wait until it is whole", place.string()),
                 ErrorKind::transient);
}

}  // namespace atelier
