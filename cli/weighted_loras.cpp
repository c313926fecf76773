#include "cli/weighted_loras.h"

#include <fmt/format.h>
#include <charconv>
#include <cmath>
#include <limits>

#include "cli/option_checks.h"
#include "model/merge_rule.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::BlockWeights;
using diffusion::fail;
using diffusion::Result;

constexpr double kGreatestWeight = 10;  // beyond is a typing mistake: pictures are noise long before

struct Argument {
  fs::path path;
  double weight = 1;
};

std::optional<double> number_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return std::numeric_limits<double>::infinity();
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The weight follows the last colon, if it is a number: a path may hold colons of its own.
Result<Argument> parse_argument(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return Argument{text};
  const std::string path = text.substr(0, colon), after = text.substr(colon + 1);
  const auto wrong = [&](std::string_view what) {
    return fail(fmt::format("{}: its weight {} {}", path, after, what));
  };
  const auto weight = number_of(after);
  std::error_code error;
  if (!weight && fs::exists(path, error) && !fs::exists(text, error)) return wrong("is no number; write it as in 0.8");
  if (!weight) return Argument{text};
  if (!std::isfinite(*weight)) return wrong("is not finite; give a number from 0 to 10");
  if (*weight < 0) return wrong("is negative; to take a LoRA away, use 'atelier lora diff'");
  if (*weight > kGreatestWeight) return wrong("is over 10, probably a typing mistake; give a number from 0 to 10");
  return Argument{path, *weight};
}

Result<void> parse_blocks(const WeightedOptions& options, Weighting& weighting) {
  const std::size_t loras = weighting.paths.size(), given = options.blocks.size();
  if (given > 1 && given != loras)
    return fail(
        fmt::format("--blocks is given {} times for {} LoRAs; give it once for all, or once for each in their "
                    "order",
                    given, loras));
  for (std::size_t i = 0; i < loras; ++i) {
    weighting.block_texts.push_back(given == 0 ? "" : options.blocks[given == 1 ? 0 : i]);
    auto blocks = given == 0 ? BlockWeights{} : BlockWeights::parse(weighting.block_texts.back());
    if (!blocks) return fail(fmt::format("--blocks: {}", blocks.error().message));
    weighting.blocks.push_back(*std::move(blocks));
  }
  return {};
}

Result<std::optional<diffusion::MergeMethod>> method_of(const WeightedOptions& options) {
  if (options.seed && options.method != "dare") return fail("--seed applies to --method dare alone");
  if (options.density && options.method == "sum") return fail("--density applies to --method ties and dare alone");
  if (options.method == "ties") {
    diffusion::Ties ties;
    ties.density = options.density.value_or(ties.density);
    return ties;
  }
  if (options.method == "dare") {
    diffusion::Dare dare{.uniform = drop_source(options.seed.value_or(0))};
    dare.density = options.density.value_or(dare.density);
    return dare;
  }
  return std::nullopt;
}

}  // namespace

void add_weighted_options(CLI::App& command, WeightedOptions& options) {
  command
      .add_option("LORA", options.loras,
                  "LoRA files, each with its weight behind a colon or 1, as in mia.safetensors:0.8")
      ->type_name("")
      ->required();
  command
      .add_option("--blocks", options.blocks,
                  "Weights of blocks, as in in=0,mid=1,out=0.5; once for all LoRAs, or once for each")
      ->type_name("LIST")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  command.add_option("--method", options.method, "sum, ties or dare")
      ->type_name("NAME")
      ->check(one_of({"sum", "ties", "dare"}))
      ->capture_default_str();
  command
      .add_option("--density", options.density,
                  "The share of each update's numbers that ties or dare keeps [ties: 0.2, dare: 0.5]")
      ->type_name("D")
      ->check(number_that("a number over 0 and at most 1", [](double x) { return x > 0 && x <= 1; }));
  command.add_option("--seed", options.seed, "The seed of what dare keeps [0]")
      ->type_name("N")
      ->check(whole_number(0, std::numeric_limits<std::int64_t>::max()));
}

Result<Weighting> weighting_of(const WeightedOptions& options) {
  Weighting weighting;
  for (const auto& text : options.loras) {
    auto argument = parse_argument(text);
    if (!argument) return tl::unexpected(argument.error());
    weighting.paths.push_back(std::move(argument->path));
    weighting.weights.push_back(argument->weight);
  }
  if (auto parsed = parse_blocks(options, weighting); !parsed) return tl::unexpected(parsed.error());
  auto method = method_of(options);
  if (!method) return tl::unexpected(method.error());
  weighting.method = *std::move(method);
  return weighting;
}

Result<std::vector<diffusion::WeightedLora>> terms_of(const Weighting& weighting, const OpenLoras& loras) {
  std::vector<diffusion::WeightedLora> terms;
  for (std::size_t i = 0; i < loras.loras.size(); ++i) {
    const diffusion::Lora& lora = loras.loras[i].lora;
    if (auto used = weighting.blocks[i].check_used_by(lora); !used)
      return fail(fmt::format("{}: {}", weighting.paths[i].string(), used.error().message));
    terms.push_back({.lora = &lora, .weight = weighting.weights[i], .blocks = weighting.blocks[i]});
  }
  return terms;
}

void record(const WeightedOptions& options, const Weighting& weighting, std::span<const diffusion::LoraSource> sources,
            diffusion::Provenance& provenance) {
  provenance.option("method", options.method);
  if (weighting.method)
    provenance.option("density", std::visit([](const auto& method) { return method.density; }, *weighting.method));
  if (options.method == "dare") provenance.option("seed", options.seed.value_or(0));
  for (std::size_t i = 0; i < sources.size(); ++i) {
    nlohmann::json facts = {{"weight", weighting.weights[i]}};
    if (!weighting.block_texts[i].empty()) facts["blocks"] = weighting.block_texts[i];
    provenance.input("lora", sources[i].hash, facts).title(sources[i].metadata);
  }
}

void record(const WeightedOptions& options, const Weighting& weighting, const OpenLoras& loras,
            diffusion::Provenance& provenance) {
  std::vector<diffusion::LoraSource> sources;
  for (const auto& one : loras.loras) sources.push_back(one.source);
  record(options, weighting, sources, provenance);
  if (loras.base_hash) provenance.input("base", *loras.base_hash);
}

}  // namespace atelier::cli
