#include "cli/home.h"

#include <fmt/format.h>
#include <cstdlib>

#include "base/error.h"

namespace atelier::cli {
namespace fs = std::filesystem;

fs::path find_home() {
  if (const char* given = std::getenv("ATELIER_HOME")) {
    if (fs::is_directory(fs::path(given) / "models")) return given;
    throw UserError(fmt::format("ATELIER_HOME is {}, which has no folder models", given));
  }
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path installed = program.parent_path().parent_path() / "share/atelier";
  for (const auto& place : {installed, fs::path(ATELIER_SOURCE_DIR)})
    if (fs::is_directory(place / "models")) return place;
  throw UserError(
      "the folder models that ships with Atelier was not found; set ATELIER_HOME to the folder that holds it");
}

}  // namespace atelier::cli
