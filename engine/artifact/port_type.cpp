#include "artifact/port_type.h"

#include <fmt/format.h>

namespace atelier {

Expected<Artifact> PortType::open_input(const std::filesystem::path& path, const FileDigest&) const {
  return failure(fmt::format("{}: a pipeline cannot be given {}", path.string(), name()));
}

std::string PortType::check_output_path(std::string_view path) const {
  const bool folder = path.ends_with('/');
  if (folder == writes_folder()) return {};
  return writes_folder() ? fmt::format("{} are written as a folder: end the path with '/'", name())
                         : fmt::format("{} is written as one file: the path must not end with '/'", name());
}

}  // namespace atelier
