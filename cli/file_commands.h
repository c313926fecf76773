// cli: the command about files that people write: what editors know of them.
#pragma once
#include "cli/program.h"

namespace atelier::cli {

void add_schema_command(CLI::App& app, Program& program);

}  // namespace atelier::cli
