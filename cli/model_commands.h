// cli: the commands of `atelier model`.
#pragma once

#include "cli/program.h"

namespace atelier::cli {

// Each adds one command to `atelier model`.
void add_model_info_command(CLI::App& model, Program& program);
void add_model_convert_command(CLI::App& model, Program& program);

}  // namespace atelier::cli
