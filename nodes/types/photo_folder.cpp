#include "types/photo_folder.h"

#include <fmt/format.h>
#include <charconv>

#include "types/utf8.h"

namespace atelier {

std::optional<PhotoFolder> photo_folder(const std::string& name) {
  const std::size_t end = name.find('_');
  if (end == std::string::npos || !is_utf8(name)) return std::nullopt;
  PhotoFolder folder;
  const auto [rest, error] = std::from_chars(name.data(), name.data() + end, folder.repeats);
  if (error != std::errc() || rest != name.data() + end) return std::nullopt;
  if (folder.repeats < 1 || folder.repeats > kMostFolderRepeats) return std::nullopt;
  folder.caption = as_one_line(name.substr(end + 1));
  if (folder.caption.empty()) return std::nullopt;
  return folder;
}

std::string name_of(const PhotoFolder& folder) { return fmt::format("{}_{}", folder.repeats, folder.caption); }

}  // namespace atelier
