// `atelier lora compare`: how far two LoRAs are apart.
#include <fmt/format.h>
#include <algorithm>
#include <numbers>

#include "cli/json_text.h"
#include "cli/lora_commands.h"
#include "cli/lora_inputs.h"
#include "cli/lora_output.h"
#include "cli/option_checks.h"
#include "diffusion/lora_compare.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::fail;
using diffusion::LoraComparison;
using diffusion::Result;

struct Options {
  fs::path first, second;
  double tolerance = 1e-6;
  std::optional<std::int64_t> rank;
  ReadOptions read;
  bool json = false;
};

// The largest of the angles, in degrees; nothing where a space is empty.
std::optional<double> largest(const std::vector<double>& angles) {
  if (angles.empty()) return std::nullopt;
  return angles.back() * 180 / std::numbers::pi;
}

// Number or null.
nlohmann::json json_of(std::optional<double> number) { return number ? nlohmann::json(*number) : nlohmann::json(); }

bool are_equal(const LoraComparison& compared, double tolerance) {
  return compared.relative <= tolerance &&
         std::ranges::all_of(compared.layers, [&](const auto& one) { return one.second.relative <= tolerance; });
}

void print_json(const Options& options, const LoraComparison& compared) {
  nlohmann::json json = {{"first", options.first.string()},
                         {"second", options.second.string()},
                         {"first_only", compared.first_only},
                         {"second_only", compared.second_only},
                         {"relative", compared.relative},
                         {"tolerance", options.tolerance},
                         {"equal", are_equal(compared, options.tolerance)},
                         {"layers", nlohmann::json::array()}};
  for (const auto& [name, layer] : compared.layers)
    json["layers"].push_back({{"name", name},
                              {"relative", layer.relative},
                              {"difference", layer.difference},
                              {"first_norm", layer.first_norm},
                              {"second_norm", layer.second_norm},
                              {"column_angle", json_of(largest(layer.column_angles))},
                              {"row_angle", json_of(largest(layer.row_angles))}});
  fmt::print("{}\n", json_text(json, kOneLine));
}

std::string degrees(std::optional<double> angle) { return angle ? fmt::format("{:.4f}", *angle) : "-"; }

void print_text(const Options& options, const LoraComparison& compared) {
  std::size_t width = 5;
  for (const auto& [name, layer] : compared.layers) width = std::max(width, name.size());
  fmt::print("{:<{}}  {:>10} {:>9} {:>9}\n", "layer", width, "difference", "columns", "rows");
  for (const auto& [name, layer] : compared.layers)
    fmt::print("{:<{}}  {:>10.3g} {:>9} {:>9}\n", name, width, layer.relative, degrees(largest(layer.column_angles)),
               degrees(largest(layer.row_angles)));
  fmt::print("difference is ||dWa - dWb|| / ||dWb||; columns and rows are the largest principal angles in degrees\n");
  for (const auto& name : compared.first_only) fmt::print("only {} has {}\n", options.first.string(), name);
  for (const auto& name : compared.second_only) fmt::print("only {} has {}\n", options.second.string(), name);
  fmt::print("{} and {}: difference {:.3g} over all layers, {} of {:g}\n", options.first.string(),
             options.second.string(), compared.relative,
             are_equal(compared, options.tolerance) ? "each within the tolerance" : "not within the tolerance",
             options.tolerance);
}

Result<void> run(Program& program, const Options& options) {
  const std::vector<fs::path> paths = {options.first, options.second};
  const LimitOptions limit{.rank = options.rank};
  const auto opened = open_loras(program, paths, options.read, limit.limit());
  if (!opened) return tl::unexpected(opened.error());
  const auto compared = diffusion::compare(opened->loras[0].lora, opened->loras[1].lora);
  if (!compared)
    return fail(
        fmt::format("{} and {}: {}", options.first.string(), options.second.string(), compared.error().message));
  options.json ? print_json(options, *compared) : print_text(options, *compared);
  program.exit_code = are_equal(*compared, options.tolerance) ? kSucceeded : kSomeFailed;
  return {};
}

}  // namespace

void add_lora_compare_command(CLI::App& lora, Program& program) {
  auto* command = lora.add_subcommand("compare", "Tell how far two LoRAs are apart; exit code 1 if over the tolerance");
  auto options = std::make_shared<Options>();
  command->add_option("A", options->first, "A LoRA")->type_name("")->required();
  command->add_option("B", options->second, "The LoRA that differences are relative to")->type_name("")->required();
  command->add_option("--tolerance", options->tolerance, "The greatest relative difference that passes for equal")
      ->type_name("T")
      ->check(number_that("a number of at least 0", [](double x) { return x >= 0; }))
      ->capture_default_str();
  add_rank_option(*command, options->rank, "a full matrix (LoHa, LoKr, DoRA)");
  add_read_options(*command, options->read);
  add_json_flag(*command, options->json);
  add_example(*command, "atelier lora compare mia.safetensors mia-small.safetensors --tolerance 0.05");
  command->callback([&program, options] { tell(program, "compare", run(program, *options)); });
}

}  // namespace atelier::cli
