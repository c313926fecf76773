// `atelier lora check`: everything that is wrong with a LoRA file.
#include <fmt/format.h>

#include "cli/json_text.h"
#include "cli/lora_commands.h"
#include "cli/lora_inputs.h"
#include "cli/lora_output.h"
#include "cli/printable.h"
#include "diffusion/lora_check.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::Result;

struct Options {
  fs::path file, base;
  bool json = false;
};

void print_faults(const Options& options, const std::vector<std::string>& faults) {
  for (const auto& fault : faults) fmt::print(stderr, "{}: {}\n", options.file.string(), printable(fault));
  fmt::print(stderr, "{}\n", counted(faults.size(), "fault"));
}

Result<void> print_sound(const Options& options) {
  const auto source = diffusion::open_lora(options.file);
  if (!source) return tl::unexpected(source.error());
  fmt::print("{} is sound: {}\n", options.file.string(),
             counted(source->updates.lora.layers.size() + source->updates.dense.size(), "layer"));
  return {};
}

Result<void> run(Program& program, const Options& options) {
  std::optional<diffusion::BaseModel> base;
  if (!options.base.empty()) {
    auto opened = open_base(program, options.base);
    if (!opened) return tl::unexpected(opened.error());
    base = *std::move(opened);
  }
  const auto faults = diffusion::check_lora(options.file, base ? &*base : nullptr);
  if (!faults) return tl::unexpected(faults.error());
  program.exit_code = faults->empty() ? kSucceeded : kWrongInput;
  if (options.json)
    fmt::print("{}\n", json_text(nlohmann::json{{"path", options.file.string()}, {"faults", *faults}}, kOneLine));
  else if (faults->empty())
    return print_sound(options);
  else
    print_faults(options, *faults);
  return {};
}

}  // namespace

void add_lora_check_command(CLI::App& lora, Program& program) {
  auto* command =
      lora.add_subcommand("check", "Tell everything that is wrong with a LoRA file; exit code 2 if anything");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->file, "The LoRA file")->type_name("")->required();
  command->add_option("--base", options->base, "The base that it is for, a folder or a file: do its layers fit?")
      ->type_name("BASE");
  add_json_flag(*command, options->json);
  add_example(*command, "atelier lora check mia.safetensors --base sd15.safetensors");
  command->callback([&program, options] { tell(program, "check", run(program, *options)); });
}

}  // namespace atelier::cli
