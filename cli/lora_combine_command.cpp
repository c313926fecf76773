// `atelier lora combine`: several LoRAs as one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/lora_commands.h"
#include "cli/lora_output.h"
#include "cli/weighted_loras.h"

namespace atelier::cli {
namespace {

using diffusion::fail;
using diffusion::Result;

struct Options {
  WeightedOptions weighted;
  LimitOptions limit;
  ReadOptions read;
  OutOptions out;
};

diffusion::Metadata provenance_of(const Options& options, const Weighting& weighting, const OpenLoras& opened) {
  diffusion::Provenance provenance("combine");
  record(options.weighted, weighting, opened, provenance);
  record(options.limit, provenance);
  return provenance.metadata();
}

std::string all_of(const Weighting& weighting) {
  std::vector<std::string> names;
  for (const auto& path : weighting.paths) names.push_back(path.string());
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<void> run(Program& program, const Options& options) {
  const auto weighting = weighting_of(options.weighted);
  if (!weighting) return tl::unexpected(weighting.error());
  if (weighting->method && !options.limit.limit())
    return fail(
        fmt::format("--method {} makes full matrices; give the --rank, --energy or --error that they are brought to",
                    options.weighted.method));
  if (auto free = check_out(options.out, weighting->paths, options.read.base); !free) return free;
  const auto opened = open_loras(program, weighting->paths, options.read, options.limit.limit_of_inputs());
  if (!opened) return tl::unexpected(opened.error());
  const auto terms = terms_of(*weighting, *opened);
  if (!terms) return tl::unexpected(terms.error());
  const auto result = diffusion::combine(*terms, {.method = weighting->method, .limit = options.limit.limit()});
  if (!result) return fail(fmt::format("{}: {}", all_of(*weighting), result.error().message));
  if (result->lora.layers.empty())
    return fail(fmt::format("{}: nothing is left: all layers of the sum are zero", all_of(*weighting)));
  return write_out(program, *result, options.out,
                   {.dtype = opened->widest(), .metadata = provenance_of(options, *weighting, *opened)});
}

}  // namespace

void add_lora_combine_command(CLI::App& lora, Program& program) {
  auto* command = lora.add_subcommand("combine", "Make one LoRA of several: their weighted sum, TIES or DARE");
  auto options = std::make_shared<Options>();
  add_weighted_options(*command, options->weighted);
  add_limit_options(*command, options->limit, "the sum");
  add_read_options(*command, options->read);
  add_out_options(*command, options->out, MadeOf::loras);
  add_example(*command,
              "atelier lora combine mia.safetensors:0.8 ink.safetensors:0.5 --rank 32 -o mia-ink.safetensors");
  command->callback([&program, options] { tell(program, "combine", run(program, *options)); });
}

}  // namespace atelier::cli
