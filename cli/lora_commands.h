// cli: the commands of `atelier lora`.
#pragma once

#include "cli/program.h"

namespace atelier::cli {

// Each adds one command to `atelier lora`.
void add_lora_info_command(CLI::App& lora, Program& program);
void add_lora_diff_command(CLI::App& lora, Program& program);
void add_lora_combine_command(CLI::App& lora, Program& program);
void add_lora_resize_command(CLI::App& lora, Program& program);
void add_lora_extract_command(CLI::App& lora, Program& program);
void add_lora_fuse_command(CLI::App& lora, Program& program);
void add_lora_convert_command(CLI::App& lora, Program& program);
void add_lora_compare_command(CLI::App& lora, Program& program);
void add_lora_check_command(CLI::App& lora, Program& program);

}  // namespace atelier::cli
