#include "diffusion/lora_format.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/finite.h"
#include "diffusion/lora_alpha.h"
#include "diffusion/lora_names.h"

namespace atelier::diffusion {
namespace {

/// The parts of one layer as they are found; the text before them is for messages.
struct FoundLayer {
  std::string key;
  std::optional<at::Tensor> down, up;
  std::optional<double> alpha;
};

struct FoundFile {
  LoraNaming naming = LoraNaming::kohya;
  std::map<std::string, FoundLayer> layers;
};

tl::unexpected<Error> doubled(const std::string& key) {
  return fail(fmt::format("LoRA key '{}': the file holds this layer twice, in two namings", key));
}

Result<FoundFile> sort_keys(const LoraFile& file) {
  FoundFile found;
  for (const auto& [key, tensor] : file.tensors) {
    auto parsed = parse_lora_key(key);
    if (!parsed) return tl::unexpected(parsed.error());
    found.naming = parsed->naming;
    FoundLayer& layer = found.layers[parsed->layer];
    layer.key = key;
    if (parsed->factor == LoraFactor::alpha) {
      if (tensor.numel() != 1)
        return fail(fmt::format("LoRA key '{}' has shape {}, wanted is one number", key, shape_text(tensor.sizes())));
      if (layer.alpha) return doubled(key);
      layer.alpha = tensor.to(at::kDouble).item<double>();
      continue;
    }
    std::optional<at::Tensor>& factor = parsed->factor == LoraFactor::down ? layer.down : layer.up;
    if (factor) return doubled(key);
    factor = tensor;
  }
  if (found.layers.empty()) return fail("the file holds no LoRA");
  return found;
}

/// What holds where a layer says no alpha of its own.
struct DefaultAlpha {
  AlphaRule unet{}, text_encoder{}, text_encoder_2{};

  const AlphaRule& of(LoraPart part) const {
    if (part == LoraPart::unet) return unet;
    return part == LoraPart::text_encoder ? text_encoder : text_encoder_2;
  }
};

Result<DefaultAlpha> default_alpha(const FoundFile& found, const Metadata& metadata,
                                   const nlohmann::json* adapter_config) {
  if (found.naming == LoraNaming::peft) {
    const bool told = adapter_config != nullptr && adapter_config->is_object();
    const AlphaRule rule = told ? alpha_rule(*adapter_config, "") : AlphaRule{};
    if (!rule.alpha)
      return fail(
          "a LoRA in peft's naming does not hold its alpha; put its adapter_config.json with lora_alpha beside it");
    return DefaultAlpha{rule, rule, rule};
  }
  const auto written = metadata.find("lora_adapter_metadata");
  if (found.naming != LoraNaming::diffusers || written == metadata.end()) return DefaultAlpha{};
  const auto json = nlohmann::json::parse(written->second, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail("the metadata lora_adapter_metadata is not a JSON object");
  return DefaultAlpha{alpha_rule(json, "unet."), alpha_rule(json, "text_encoder."),
                      alpha_rule(json, "text_encoder_2.")};
}

Result<LoraLayer> make_layer(const std::string& name, const FoundLayer& found, const DefaultAlpha& alpha) {
  if (!found.down || !found.up)
    return fail(fmt::format("LoRA key '{}': its other half, {}, is missing", found.key, found.down ? "up" : "down"));
  const at::Tensor &down = *found.down, &up = *found.up;
  const bool is_conv = down.dim() == 4 && up.dim() == 4 && up.size(2) == 1 && up.size(3) == 1;
  const bool is_linear = down.dim() == 2 && up.dim() == 2;
  if (!(is_conv || is_linear) || up.size(1) != down.size(0) || down.size(0) < 1)
    return fail(fmt::format("LoRA key '{}': down of shape {} and up of shape {} do not fit together", found.key,
                            shape_text(down.sizes()), shape_text(up.sizes())));
  return LoraLayer{.a = down.to(at::kFloat),
                   .b = up.flatten(1).to(at::kFloat),
                   .alpha = found.alpha.value_or(alpha.of(part_of(name)).of(path_in_part(name), down.size(0)))};
}

/// The family whose text states have that width; SD 1.x's, SD 2.x's and SDXL's published ones.
std::optional<Architecture> architecture_of_width(int64_t width) {
  if (width == 768) return Architecture::sd1;
  if (width == 1024) return Architecture::sd2;
  if (width == 2048) return Architecture::sdxl;
  return std::nullopt;
}

/// What the layers tell of their base, where the metadata does not.
std::optional<LoraBase> base_of_layers(const LoraFile& file, const Lora& lora) {
  const auto of_sdxl = [](const auto& item) {
    return item.first.starts_with("lora_te1_") || item.first.starts_with("lora_unet_input_blocks_") ||
           item.first.starts_with("lora_unet_middle_block_") || item.first.starts_with("lora_unet_output_blocks_");
  };
  if (has_part(lora, LoraPart::text_encoder_2) || std::ranges::any_of(file.tensors, of_sdxl))
    return LoraBase{Architecture::sdxl};
  for (const auto& [name, layer] : lora.layers)
    if (name.ends_with(".attn2.to_k"))
      if (const auto architecture = architecture_of_width(layer.a.size(1))) return LoraBase{*architecture};
  return std::nullopt;
}

}  // namespace

Result<Lora> lora_of_file(const LoraFile& file, const nlohmann::json* adapter_config) {
  auto found = sort_keys(file);
  if (!found) return tl::unexpected(found.error());
  auto alpha = default_alpha(*found, file.metadata, adapter_config);
  if (!alpha) return tl::unexpected(alpha.error());
  Lora lora;
  for (const auto& [name, parts] : found->layers) {
    auto layer = make_layer(name, parts, *alpha);
    if (!layer) return tl::unexpected(layer.error());
    lora.layers[name] = *std::move(layer);
  }
  lora.base = base_of_metadata(file.metadata);
  if (!lora.base) lora.base = base_of_layers(file, lora);
  return lora;
}

Result<Lora> lora_of_peft(const std::map<LoraPart, PeftAdapter>& adapters) {
  Lora all;
  for (const auto& [part, adapter] : adapters) {
    auto lora = lora_of_file(adapter.file, &adapter.config);
    if (!lora) return fail(fmt::format("{}: {}", name_of(part), lora.error().message));
    for (auto& [name, layer] : lora->layers) {
      const std::string prefix = part == LoraPart::unet ? "" : fmt::format("{}.", name_of(part));
      all.layers[prefix + std::string(path_in_part(name))] = std::move(layer);
    }
    if (!all.base) all.base = lora->base;
  }
  if (all.layers.empty()) return fail("the adapters hold no LoRA");
  return all;
}

Result<Lora> read_lora(const std::filesystem::path& path) {
  const auto about_path = [&](const Error& error) {
    return Error{fmt::format("{}: {}", path.string(), error.message)};
  };
  const auto opened = Safetensors::open(path);
  if (!opened) return tl::unexpected(opened.error());
  auto tensors = opened->tensors();
  if (!tensors) return tl::unexpected(tensors.error());
  if (auto finite = check_finite(*tensors, path); !finite) return tl::unexpected(finite.error());
  std::optional<nlohmann::json> config;
  if (std::ifstream stream(path.parent_path() / "adapter_config.json"); stream)
    config = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
  return lora_of_file({*std::move(tensors), opened->metadata()}, config ? &*config : nullptr).map_error(about_path);
}

}  // namespace atelier::diffusion
