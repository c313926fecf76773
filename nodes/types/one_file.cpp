#include "types/one_file.h"

#include <fmt/format.h>

namespace atelier {

Expected<Artifact> open_one_file(Files& files, const std::filesystem::path& path, const FileDigest& digest,
                                 std::string_view what, std::string_view suffix) {
  const auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat || (*stat)->type != FileStat::Type::file || (!suffix.empty() && path.extension() != suffix))
    return failure(fmt::format("{}: {} was expected here{}", path.string(), what,
                               suffix.empty() ? "" : fmt::format(", a {} file", suffix)));
  const auto of_bytes = digest(path);
  if (!of_bytes) return tl::unexpected(of_bytes.error());
  Artifact artifact;
  artifact.files.push_back({path.filename().string(), *of_bytes, path, (*stat)->size_bytes});
  return artifact;
}

}  // namespace atelier
