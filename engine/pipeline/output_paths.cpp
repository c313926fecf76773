#include "pipeline/output_paths.h"

#include <fmt/format.h>

namespace atelier {
namespace {

std::string_view without_slash(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

std::string path_mistake(std::string_view path) {
  if (path.empty()) return "the path is empty; expected a path below the output folder";
  if (path.starts_with('/')) return fmt::format("'{}' is absolute; expected a path below the output folder", path);
  const std::string_view whole = path;
  path = without_slash(path);
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part == "..") return fmt::format("'{}' leaves the output folder; expected a path below it", whole);
    if (part.empty() || part == ".")
      return fmt::format("'{}' has an empty part; expected names between the '/'", whole);
    if (begin == 0 && part == runs_folder)
      return fmt::format("'{}' lies in '{}', where the runs are kept; expected another folder", whole, runs_folder);
    begin = end + 1;
  }
  return {};
}

std::optional<PathClaims::Clash> PathClaims::claim(std::string_view path, std::size_t owner) {
  const std::string plain(without_slash(path));
  const Claim mine{owner, std::string(path)};
  std::optional<Clash> clash;
  const auto note = [&](const auto& claims, const std::string& place, bool same) {
    const auto found = claims.find(place);
    if (!clash && found != claims.end()) clash = Clash{found->second.owner, found->second.path, same};
  };
  note(paths_, plain, true);
  note(folders_, plain, false);
  for (std::size_t slash = plain.find('/'); slash != std::string::npos; slash = plain.find('/', slash + 1)) {
    const std::string folder = plain.substr(0, slash);
    note(paths_, folder, false);
    folders_.emplace(folder, mine);
  }
  paths_.emplace(plain, mine);
  return clash;
}

std::string clash_sentence(const PathClaims::Clash& clash, std::string_view other) {
  if (clash.same) return fmt::format("{} has the same path; expected one of its own", other);
  return fmt::format("one of it and '{}' of {} lies within the other; expected a path beside it", clash.path, other);
}

}  // namespace atelier
