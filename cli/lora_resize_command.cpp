// `atelier lora resize`: a LoRA at lower ranks.
#include <fmt/format.h>

#include "cli/lora_commands.h"
#include "cli/lora_inputs.h"
#include "cli/lora_output.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::fail;
using diffusion::Result;

struct Options {
  fs::path file;
  LimitOptions limit;
  ReadOptions read;
  OutOptions out;
};

// What its training wrote, without a date that is not the new file's, and what was done to it.
diffusion::Metadata metadata_of(const Options& options, const OpenLoras& opened) {
  const auto& source = opened.loras.front().source;
  diffusion::Provenance provenance("resize");
  record(options.limit, provenance);
  provenance.input("lora", source.hash);
  if (opened.base_hash) provenance.input("base", *opened.base_hash);
  auto metadata = kept_metadata(source.metadata);
  metadata.erase("modelspec.date");
  for (const auto& [key, text] : provenance.metadata()) metadata[key] = text;
  return metadata;
}

Result<void> run(Program& program, const Options& options) {
  const auto limit = options.limit.limit();
  if (!limit) return fail("how much is to stay is not said; give --rank, --energy or --error");
  if (auto free = check_out(options.out, {&options.file, 1}, options.read.base); !free) return free;
  const auto opened = open_loras(program, {&options.file, 1}, options.read, options.limit.limit_of_inputs());
  if (!opened) return tl::unexpected(opened.error());
  const auto result = diffusion::resize(opened->loras.front().lora, *limit);
  if (!result) return fail(fmt::format("{}: {}", options.file.string(), result.error().message));
  if (result->lora.layers.empty())
    return fail(fmt::format("{}: nothing is left: all its layers are zero", options.file.string()));
  return write_out(program, *result, options.out,
                   {.dtype = opened->widest(), .metadata = metadata_of(options, *opened)});
}

}  // namespace

void add_lora_resize_command(CLI::App& lora, Program& program) {
  auto* command = lora.add_subcommand("resize", "Bring a LoRA to lower ranks, each layer to its best approximation");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->file, "The LoRA")->type_name("")->required();
  add_limit_options(*command, options->limit, "the result");
  add_read_options(*command, options->read);
  add_out_options(*command, options->out, MadeOf::loras);
  add_example(*command, "atelier lora resize mia.safetensors --energy 0.99 -o mia-small.safetensors");
  command->callback([&program, options] { tell(program, "resize", run(program, *options)); });
}

}  // namespace atelier::cli
