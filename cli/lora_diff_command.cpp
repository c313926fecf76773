// `atelier lora diff`: one LoRA less another.
#include <fmt/format.h>

#include "cli/lora_commands.h"
#include "cli/lora_inputs.h"
#include "cli/lora_output.h"
#include "cli/option_checks.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::DiffMethod;
using diffusion::fail;
using diffusion::RemovedSides;
using diffusion::Result;

struct Options {
  fs::path minuend, subtrahend;
  std::string method = "subtract";
  std::optional<std::string> sides;
  LimitOptions limit;
  ReadOptions read;
  OutOptions out;

  bool is_subspace() const { return method == "subspace"; }
  std::string both() const { return fmt::format("{} and {}", minuend.string(), subtrahend.string()); }
};

diffusion::DiffOptions diff_options(const Options& options) {
  return {.method = options.is_subspace() ? DiffMethod::subspace : DiffMethod::subtract,
          .sides = options.sides == "both" ? RemovedSides::both : RemovedSides::left,
          .limit = options.limit.limit()};
}

diffusion::Metadata provenance_of(const Options& options, const OpenLoras& opened) {
  diffusion::Provenance provenance("diff");
  provenance.option("method", options.method);
  if (options.is_subspace()) provenance.option("sides", options.sides.value_or("left"));
  record(options.limit, provenance);
  const auto &minuend = opened.loras[0].source, &subtrahend = opened.loras[1].source;
  provenance.input("minuend", minuend.hash).title(minuend.metadata);
  provenance.input("subtrahend", subtrahend.hash).title(subtrahend.metadata);
  if (opened.base_hash) provenance.input("base", *opened.base_hash);
  return provenance.metadata();
}

Result<void> run(Program& program, const Options& options) {
  if (options.sides && !options.is_subspace()) return fail("--sides applies to --method subspace alone");
  const std::vector<fs::path> paths = {options.minuend, options.subtrahend};
  if (auto free = check_out(options.out, paths, options.read.base); !free) return free;
  const auto opened = open_loras(program, paths, options.read, options.limit.limit_of_inputs());
  if (!opened) return tl::unexpected(opened.error());
  const auto result = diffusion::diff(opened->loras[0].lora, opened->loras[1].lora, diff_options(options));
  if (!result) return fail(fmt::format("{}: {}", options.both(), result.error().message));
  if (result->lora.layers.empty())
    return fail(
        fmt::format("{}: nothing is left: {}", options.both(),
                    options.is_subspace() ? "the second writes all that the first does" : "the two LoRAs are equal"));
  return write_out(program, *result, options.out,
                   {.dtype = opened->widest(), .metadata = provenance_of(options, *opened)});
}

}  // namespace

void add_lora_diff_command(CLI::App& lora, Program& program) {
  auto* command = lora.add_subcommand("diff", "Subtract LoRA B from LoRA A: what A learned and B did not");
  auto options = std::make_shared<Options>();
  command->add_option("A", options->minuend, "The LoRA to subtract from")->type_name("")->required();
  command->add_option("B", options->subtrahend, "The LoRA to take away")->type_name("")->required();
  command
      ->add_option("--method", options->method,
                   "subtract: the exact difference of the updates; subspace: A without all that B writes")
      ->type_name("NAME")
      ->check(one_of({"subtract", "subspace"}))
      ->capture_default_str();
  command->add_option("--sides", options->sides, "Of subspace: left, what B writes; both, what it reads too [left]")
      ->type_name("SIDES")
      ->check(one_of({"left", "both"}));
  add_limit_options(*command, options->limit, "the difference");
  add_read_options(*command, options->read);
  add_out_options(*command, options->out, MadeOf::loras);
  add_example(*command, "atelier lora diff mia-in-the-park.safetensors park.safetensors -o mia.safetensors");
  command->callback([&program, options] { tell(program, "diff", run(program, *options)); });
}

}  // namespace atelier::cli
