// `atelier lora info`: what a LoRA file holds.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <cmath>
#include <set>

#include "cli/json_text.h"
#include "cli/lora_commands.h"
#include "cli/lora_output.h"
#include "cli/lora_report.h"
#include "cli/printable.h"
#include "diffusion/dtype_names.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::LoraSource;
using diffusion::Result;

constexpr std::size_t kMostText = 96;  // bytes of a metadata's text

using Layers = std::vector<LayerReport>;

const char* naming_of(const LoraSource& source) {
  switch (source.updates.naming) {
    case diffusion::LoraNaming::diffusers:
      return "diffusers";
    case diffusion::LoraNaming::peft:
      return "peft";
    default:
      return "kohya";
  }
}

std::set<std::string> kinds_of(const Layers& layers) {
  std::set<std::string> kinds;
  for (const auto& layer : layers) {
    kinds.insert(layer.kind);
    if (layer.is_dora) kinds.insert("DoRA");
  }
  return kinds;
}

double norm_of(const Layers& layers) {
  double squares = 0;
  for (const auto& layer : layers) squares += layer.norm * layer.norm;
  return std::sqrt(squares);
}

nlohmann::json layer_json(const LayerReport& layer) {
  nlohmann::json json = {{"name", layer.name},
                         {"kind", layer.kind},
                         {"dora", layer.is_dora},
                         {"shape", layer.shape},
                         {"rank", layer.rank},
                         {"alpha", nullptr},
                         {"norm", layer.norm},
                         {"singular_values", layer.singular_values},
                         {"ranks_for_90_percent", layer.ranks_for_90},
                         {"ranks_for_99_percent", layer.ranks_for_99}};
  if (layer.alpha) json["alpha"] = *layer.alpha;
  return json;
}

void print_json(const LoraSource& source, const Layers& layers) {
  nlohmann::json json = {{"path", source.path.string()}, {"naming", naming_of(source)},
                         {"kinds", kinds_of(layers)},    {"architecture", nullptr},
                         {"prediction_type", nullptr},   {"dtype", diffusion::name_of(source.dtype)},
                         {"hash", source.hash},          {"norm", norm_of(layers)},
                         {"metadata", source.metadata},  {"layers", nlohmann::json::array()}};
  if (const auto& base = source.updates.lora.base) {
    json["architecture"] = diffusion::architecture_name(base->architecture);
    json["prediction_type"] = diffusion::modelspec_prediction(*base);
  }
  for (const auto& layer : layers) json["layers"].push_back(layer_json(layer));
  fmt::print("{}\n", json_text(json, kOneLine));
}

std::string base_text(const LoraSource& source) {
  const auto& base = source.updates.lora.base;
  if (!base) return "a base that it does not tell";
  const bool v = base->prediction == diffusion::PredictionType::v_prediction;
  return fmt::format("{}{}", diffusion::architecture_name(base->architecture), v ? " (v-prediction)" : "");
}

// "264: 192 of unet, 72 of text_encoder".
std::string counts_text(const Layers& layers) {
  std::map<diffusion::LoraPart, std::size_t> counts;
  for (const auto& layer : layers) ++counts[diffusion::part_of(layer.name)];
  std::vector<std::string> parts;
  for (const auto& [part, count] : counts) parts.push_back(fmt::format("{} of {}", count, diffusion::name_of(part)));
  return fmt::format("{}: {}", layers.size(), fmt::join(parts, ", "));
}

void print_summary(const LoraSource& source, const Layers& layers) {
  fmt::print("{}: a LoRA file for {}, in {}'s naming, {}\n", source.path.string(), base_text(source), naming_of(source),
             diffusion::name_of(source.dtype));
  fmt::print("  kinds   {}\n  layers  {}\n  ||dW||  {:.4g}\n", fmt::join(kinds_of(layers), ", "), counts_text(layers),
             norm_of(layers));
  fmt::print("  size    {}\n  hash    {}\n", size_text(bytes_under(source.path)), source.hash);
  if (source.metadata.empty()) return;
  fmt::print("  metadata\n");
  for (const auto& [key, text] : source.metadata)
    fmt::print("    {}: {}\n", brief(key, kMostText), brief(text, kMostText));
}

void print_layers(const Layers& layers) {
  std::size_t width = 5;
  for (const auto& layer : layers) width = std::max(width, layer.name.size());
  fmt::print("\n{:<{}}  {:<5} {:>5} {:>7} {:>9} {:>9} {:>5} {:>5}\n", "layer", width, "kind", "rank", "alpha", "||dW||",
             "s_max", "90 %", "99 %");
  for (const auto& layer : layers)
    fmt::print("{:<{}}  {:<5} {:>5} {:>7} {:>#9.3g} {:>#9.3g} {:>5} {:>5}\n", layer.name, width, layer.kind, layer.rank,
               layer.alpha ? fmt::format("{:.4g}", *layer.alpha) : "-", layer.norm,
               layer.singular_values.empty() ? 0.0 : layer.singular_values.front(), layer.ranks_for_90,
               layer.ranks_for_99);
  fmt::print("s_max is the greatest singular value; 90 % and 99 % are the ranks that hold so much of the energy\n");
  if (std::ranges::any_of(layers, &LayerReport::is_dora))
    fmt::print("of DoRA, numbers are those of the update before its magnitude, which stands for a base's weights\n");
}

Result<void> run(const fs::path& file, bool json) {
  const auto source = diffusion::open_lora(file);
  if (!source) return tl::unexpected(source.error());
  const auto layers = report_layers(source->updates);
  if (json) {
    print_json(*source, layers);
  } else {
    print_summary(*source, layers);
    print_layers(layers);
  }
  return {};
}

}  // namespace

void add_lora_info_command(CLI::App& lora, Program& program) {
  auto* command = lora.add_subcommand("info", "Tell what a LoRA file holds: kind, base, ranks, norms, metadata");
  auto file = std::make_shared<fs::path>();
  auto json = std::make_shared<bool>(false);
  command->add_option("FILE", *file, "A LoRA file, or a folder that peft or diffusers wrote")
      ->type_name("")
      ->required();
  add_json_flag(*command, *json);
  add_example(*command, "atelier lora info mia.safetensors");
  command->callback([&program, file, json] { tell(program, "info", run(*file, *json)); });
}

}  // namespace atelier::cli
