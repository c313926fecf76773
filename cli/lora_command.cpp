#include "cli/lora_commands.h"
#include "diffusion/task_threads.h"

namespace atelier::cli {

// `atelier lora`: LoRA files taken apart, put together, compared, checked.
void add_lora_command(CLI::App& app, Program& program) {
  auto* lora = app.add_subcommand("lora", "LoRA files: tell, subtract, sum, reduce, extract, fuse, convert, compare");
  lora->require_subcommand(1);
  lora->preparse_callback([](std::size_t) { diffusion::use_all_cores(); });
  add_example(*lora, "atelier lora diff mia-in-the-park.safetensors park.safetensors -o mia.safetensors");
  add_lora_info_command(*lora, program);
  add_lora_diff_command(*lora, program);
  add_lora_combine_command(*lora, program);
  add_lora_resize_command(*lora, program);
  add_lora_extract_command(*lora, program);
  add_lora_fuse_command(*lora, program);
  add_lora_convert_command(*lora, program);
  add_lora_compare_command(*lora, program);
  add_lora_check_command(*lora, program);
}

}  // namespace atelier::cli
