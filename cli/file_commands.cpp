#include "cli/file_commands.h"

#include <fmt/format.h>

namespace atelier::cli {

Expected<void> write_named_file(Program& program, const std::filesystem::path& named, const std::string& text) {
  const auto path = std::filesystem::absolute(named);
  if (auto made = program.files.make_folders(path.parent_path()); !made) return made;
  if (auto written = write_file(program.files, path, text); !written) return written;
  fmt::print("{}\n", named.string());
  return {};
}

}  // namespace atelier::cli
