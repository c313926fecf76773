// cli: the commands about files that people write: a start, and what editors know of them.
#pragma once
#include "cli/program.h"

namespace atelier::cli {

void add_new_command(CLI::App& app, Program& program);
void add_schema_command(CLI::App& app, Program& program);

}  // namespace atelier::cli
