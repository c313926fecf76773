#include "cli/lora_options.h"

#include "cli/option_checks.h"
#include "cli/program.h"

namespace atelier::cli {
namespace {

constexpr std::uint64_t kMostRank = 65536;  // over any side of a layer

}  // namespace

std::optional<diffusion::RankLimit> LimitOptions::limit() const {
  if (!rank && !energy && !error) return std::nullopt;
  return diffusion::RankLimit{.rank = rank, .energy = energy, .error = error};
}

std::optional<diffusion::RankLimit> LimitOptions::limit_of_inputs() const {
  if (rank) return diffusion::RankLimit{.rank = rank};
  if (energy || error) return diffusion::RankLimit{.error = 0};
  return std::nullopt;
}

void add_rank_option(CLI::App& command, std::optional<std::int64_t>& rank, const std::string& of) {
  command.add_option("--rank", rank, "The most ranks that a layer of " + of + " has")
      ->type_name("R")
      ->check(whole_number(1, kMostRank));
}

void add_limit_options(CLI::App& command, LimitOptions& options, const std::string& of) {
  add_rank_option(command, options.rank, of);
  auto* energy =
      command.add_option("--energy", options.energy, "The share of each layer's energy that stays, as in 0.99")
          ->type_name("E")
          ->check(number_that("a number over 0 and at most 1", [](double x) { return x > 0 && x <= 1; }));
  command.add_option("--error", options.error, "How far off each layer may be, ||dW - dW'|| / ||dW||, as in 0.05")
      ->type_name("E")
      ->check(number_that("a number from 0 to below 1", [](double x) { return x >= 0 && x < 1; }))
      ->excludes(energy);
}

void record(const LimitOptions& options, diffusion::Provenance& provenance) {
  if (options.rank) provenance.option("rank", *options.rank);
  if (options.energy) provenance.option("energy", *options.energy);
  if (options.error) provenance.option("error", *options.error);
}

void add_read_options(CLI::App& command, ReadOptions& options) {
  command.add_option("--base", options.base, "The base that the LoRAs are for, a folder or a file: DoRA needs it")
      ->type_name("BASE");
  command.add_flag("--skip-unknown", options.skip_unknown, "Leave out keys that are in no known naming");
}

diffusion::LoraNaming OutOptions::to() const {
  if (naming == "diffusers") return diffusion::LoraNaming::diffusers;
  return naming == "peft" ? diffusion::LoraNaming::peft : diffusion::LoraNaming::kohya;
}

void add_out_options(CLI::App& command, OutOptions& options, MadeOf made_of) {
  command.add_option("-o,--out", options.out, "What to write: a .safetensors file, or in peft's naming a folder")
      ->type_name("OUT")
      ->required();
  command.add_option("--to", options.naming, "The naming: kohya, diffusers or peft")
      ->type_name("NAMING")
      ->check(one_of({"kohya", "diffusers", "peft"}))
      ->capture_default_str();
  command.add_flag("--keep-alpha", options.keep_alpha, "Keep each layer's own alpha instead of one for all");
  std::vector<std::string> dtypes = {"float16", "bfloat16", "float32"};
  if (made_of == MadeOf::loras) dtypes.insert(dtypes.begin(), "input");
  if (made_of == MadeOf::models) options.dtype = "float32";
  command
      .add_option("--dtype", options.dtype,
                  made_of == MadeOf::loras ? "float16, bfloat16, float32, or input: the widest of the inputs'"
                                           : "float16, bfloat16 or float32")
      ->type_name("NAME")
      ->check(one_of(dtypes))
      ->capture_default_str();
  command.add_option("--title", options.title, "The title in its metadata [OUT's name]")->type_name("TEXT");
  add_json_flag(command, options.json);
}

}  // namespace atelier::cli
