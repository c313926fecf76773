// `atelier lora convert`: a LoRA in another naming.
#include <fmt/format.h>

#include "cli/lora_commands.h"
#include "cli/lora_inputs.h"
#include "cli/lora_output.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::Result;

struct Options {
  fs::path file;
  std::optional<std::int64_t> rank;
  ReadOptions read;
  OutOptions out;
};

// The same LoRA with the same metadata: there and back again are the same bytes.
OutFacts facts_of(const OpenLoras& opened) {
  const auto& metadata = opened.loras.front().source.metadata;
  OutFacts facts{.dtype = opened.widest(), .metadata = kept_metadata(metadata)};
  if (const auto title = metadata.find("modelspec.title"); title != metadata.end()) facts.title = title->second;
  return facts;
}

Result<void> run(Program& program, const Options& options) {
  if (auto free = check_out(options.out, {&options.file, 1}, options.read.base); !free) return free;
  const LimitOptions limit{.rank = options.rank};
  const auto opened = open_loras(program, {&options.file, 1}, options.read, limit.limit());
  if (!opened) return tl::unexpected(opened.error());
  return write_out(program, {.lora = opened->loras.front().lora}, options.out, facts_of(*opened));
}

}  // namespace

void add_lora_convert_command(CLI::App& lora, Program& program) {
  auto* command = lora.add_subcommand("convert", "Write a LoRA in another naming: kohya's, diffusers' or peft's");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->file, "The LoRA")->type_name("")->required();
  add_rank_option(*command, options->rank, "a full matrix (LoHa, LoKr, DoRA)");
  add_read_options(*command, options->read);
  add_out_options(*command, options->out, MadeOf::loras);
  command->get_option("--to")->required()->default_str("");
  add_example(*command, "atelier lora convert mia.safetensors --to diffusers -o mia-diffusers.safetensors");
  command->callback([&program, options] { tell(program, "convert", run(program, *options)); });
}

}  // namespace atelier::cli
