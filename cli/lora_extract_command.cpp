// `atelier lora extract`: what a full training changed in a model, as a LoRA.
#include <fmt/format.h>

#include "cli/lora_commands.h"
#include "cli/lora_inputs.h"
#include "cli/lora_output.h"
#include "cli/option_checks.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::BaseModel;
using diffusion::fail;
using diffusion::RankLimit;
using diffusion::Result;

constexpr std::uint64_t kMostRank = 65536;

struct Options {
  fs::path tuned, base;
  LimitOptions limit;
  std::optional<std::int64_t> conv_rank;
  std::vector<std::string> layers;
  OutOptions out;

  std::string both() const { return fmt::format("{} and {}", tuned.string(), base.string()); }
};

diffusion::ExtractOptions extract_options(const Options& options) {
  diffusion::ExtractOptions all{.limits = {.layers = *options.limit.limit()}, .layers = options.layers};
  if (options.conv_rank) {
    all.limits.convolutions = options.limit.limit();
    all.limits.convolutions->rank = options.conv_rank;
  }
  return all;
}

Result<diffusion::Metadata> provenance_of(const Options& options, const BaseModel& tuned, const BaseModel& base) {
  diffusion::Provenance provenance("extract");
  record(options.limit, provenance);
  if (options.conv_rank) provenance.option("conv_rank", *options.conv_rank);
  if (!options.layers.empty()) provenance.option("layers", options.layers);
  const auto tuned_hash = diffusion::hash_of(tuned), base_hash = diffusion::hash_of(base);
  if (!tuned_hash) return tl::unexpected(tuned_hash.error());
  if (!base_hash) return tl::unexpected(base_hash.error());
  return provenance.input("tuned", *tuned_hash).input("base", *base_hash).metadata();
}

Result<diffusion::LoraResult> extract(const Options& options, const BaseModel& tuned, const BaseModel& base) {
  if (tuned.architecture() != base.architecture())
    return fail(fmt::format("{}: the first is {}, the second {}; a LoRA is of two models of one kind", options.both(),
                            diffusion::architecture_name(tuned.architecture()),
                            diffusion::architecture_name(base.architecture())));
  const auto tuned_weights = diffusion::lora_weights(tuned), base_weights = diffusion::lora_weights(base);
  if (!tuned_weights) return tl::unexpected(tuned_weights.error());
  if (!base_weights) return tl::unexpected(base_weights.error());
  auto result = diffusion::extract_lora(*tuned_weights, *base_weights, extract_options(options));
  if (!result) return fail(fmt::format("{}: {}", options.both(), result.error().message));
  result->lora.base = diffusion::lora_base_of(tuned);
  return result;
}

Result<void> run(Program& program, const Options& options) {
  if (!options.limit.limit()) return fail("how much is to stay is not said; give --rank, --energy or --error");
  if (auto free = check_out(options.out, {&options.tuned, 1}, options.base); !free) return free;
  const auto tuned = open_base(program, options.tuned), base = open_base(program, options.base);
  if (!tuned) return tl::unexpected(tuned.error());
  if (!base) return tl::unexpected(base.error());
  const auto result = extract(options, *tuned, *base);
  if (!result) return tl::unexpected(result.error());
  const auto metadata = provenance_of(options, *tuned, *base);
  if (!metadata) return tl::unexpected(metadata.error());
  return write_out(program, *result, options.out, {.metadata = *metadata});
}

}  // namespace

void add_lora_extract_command(CLI::App& lora, Program& program) {
  auto* command = lora.add_subcommand("extract", "Make a LoRA of what a full training changed: TUNED less BASE");
  auto options = std::make_shared<Options>();
  command->add_option("TUNED", options->tuned, "The trained model, a folder or a file")->type_name("")->required();
  command->add_option("BASE", options->base, "The model that its training began with")->type_name("")->required();
  add_limit_options(*command, options->limit, "the LoRA");
  command->add_option("--conv-rank", options->conv_rank, "Takes convolutions with a kernel too, at this rank")
      ->type_name("R")
      ->check(whole_number(1, kMostRank));
  command
      ->add_option("--layers", options->layers,
                   "Only layers whose names match, as in attn2; may be repeated [what kohya's LoRA adapts]")
      ->type_name("PATTERN")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  add_out_options(*command, options->out, MadeOf::models);
  add_example(*command, "atelier lora extract mia-full.safetensors sd15.safetensors --rank 64 -o mia.safetensors");
  command->callback([&program, options] { tell(program, "extract", run(program, *options)); });
}

}  // namespace atelier::cli
