// cli: the commands about files that people write: a start, and what editors know of them.
#pragma once
#include "cli/program.h"

namespace atelier::cli {

// Writes a file where the user named it, with its folder, and prints that name. Errors: the disk's.
Expected<void> write_named_file(Program& program, const std::filesystem::path& named, const std::string& text);

void add_new_command(CLI::App& app, Program& program);
void add_schema_command(CLI::App& app, Program& program);

}  // namespace atelier::cli
