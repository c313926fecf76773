// cli: where the files that ship with the program lie.
#pragma once
#include <filesystem>

namespace atelier::cli {

// The folder that holds models/ and pipelines/: $ATELIER_HOME, else share/atelier beside the program's folder, else the
// source tree it was built from. UserError where none has models/.
std::filesystem::path find_home();

}  // namespace atelier::cli
