#include "diffusion/lora_format.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/lora_names.h"

namespace atelier::diffusion {
namespace {

/// A number as kohya writes it into metadata: 8 as "8", 0.5 as "0.5".
std::string number_text(double value) { return fmt::format("{}", value); }

struct Extent {
  int64_t rank = 0;
  double alpha = 0;
};

/// The largest rank and alpha of all layers.
Extent extent_of(const Lora& lora) {
  Extent extent;
  for (const auto& [name, layer] : lora.layers) {
    extent.rank = std::max(extent.rank, layer.rank());
    extent.alpha = std::max(extent.alpha, layer.alpha);
  }
  return extent;
}

Metadata metadata_of(const Extent& extent, const LoraMetadata& about) {
  Metadata metadata = {{"format", "pt"},
                       {"modelspec.architecture", about.architecture},
                       {"modelspec.implementation", "diffusers"},
                       {"modelspec.sai_model_spec", "1.0.0"},
                       {"modelspec.title", about.title},
                       {"ss_base_model_version", about.base_model_version},
                       {"ss_network_alpha", number_text(extent.alpha)},
                       {"ss_network_dim", std::to_string(extent.rank)},
                       {"ss_network_module", "networks.lora"},
                       {"ss_v2", about.base_model_version.starts_with("sd_v2") ? "True" : "False"}};
  if (!about.resolution.empty()) metadata["modelspec.resolution"] = about.resolution;
  if (about.date) metadata["modelspec.date"] = *about.date;
  return metadata;
}

}  // namespace

LoraFile to_kohya(const Lora& lora, const LoraMetadata& metadata) {
  const Extent extent = extent_of(lora);
  LoraFile file{{}, metadata_of(extent, metadata)};
  for (const auto& [name, layer] : lora.layers) {
    const std::string key = kohya_key(name);
    at::Tensor up = layer.b.flatten(1).to(at::kFloat);
    if (layer.alpha != extent.alpha) up = up * (layer.alpha / extent.alpha);
    if (layer.a.dim() == 4) up = up.view({up.size(0), up.size(1), 1, 1});
    file.tensors[key + ".lora_down.weight"] = layer.a.to(at::kFloat).contiguous();
    file.tensors[key + ".lora_up.weight"] = up.contiguous();
    file.tensors[key + ".alpha"] = at::scalar_tensor(extent.alpha, at::kFloat);
  }
  return file;
}

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

Result<FoundFile> sort_keys(const LoraFile& file) {
  FoundFile found;
  for (const auto& [key, tensor] : file.tensors) {
    auto parsed = parse_lora_key(key);
    if (!parsed) return tl::unexpected(parsed.error());
    found.naming = parsed->naming;
    FoundLayer& layer = found.layers[parsed->layer];
    layer.key = key;
    switch (parsed->factor) {
      case LoraFactor::down:
        layer.down = tensor;
        break;
      case LoraFactor::up:
        layer.up = tensor;
        break;
      case LoraFactor::alpha:
        if (tensor.numel() != 1)
          return fail(fmt::format("LoRA key '{}' has shape {}, wanted is one number", key, shape_text(tensor.sizes())));
        layer.alpha = tensor.to(at::kDouble).item<double>();
    }
  }
  if (found.layers.empty()) return fail("the file holds no LoRA");
  return found;
}

/// What holds where a layer says no alpha of its own.
struct DefaultAlpha {
  std::optional<double> unet, text_encoder;  // empty: the rank
};

std::optional<double> number_in(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

Result<DefaultAlpha> default_alpha(const FoundFile& found, const Metadata& metadata,
                                   const nlohmann::json* adapter_config) {
  if (found.naming == LoraNaming::peft) {
    const auto alpha = adapter_config ? number_in(*adapter_config, "lora_alpha") : std::nullopt;
    if (!alpha)
      return fail(
          "a LoRA in peft's naming does not hold its alpha; put its adapter_config.json with lora_alpha beside it");
    return DefaultAlpha{alpha, alpha};
  }
  const auto written = metadata.find("lora_adapter_metadata");
  if (found.naming != LoraNaming::diffusers || written == metadata.end()) return DefaultAlpha{};
  const auto json = nlohmann::json::parse(written->second, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail("the metadata lora_adapter_metadata is not a JSON object");
  return DefaultAlpha{number_in(json, "unet.lora_alpha"), number_in(json, "text_encoder.lora_alpha")};
}

Result<LoraLayer> make_layer(const FoundLayer& found, std::optional<double> alpha) {
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
                   .alpha = found.alpha.value_or(alpha.value_or(static_cast<double>(down.size(0))))};
}

}  // namespace

Result<Lora> lora_of_file(const LoraFile& file, const nlohmann::json* adapter_config) {
  auto found = sort_keys(file);
  if (!found) return tl::unexpected(found.error());
  auto alpha = default_alpha(*found, file.metadata, adapter_config);
  if (!alpha) return tl::unexpected(alpha.error());
  Lora lora;
  for (const auto& [name, parts] : found->layers) {
    auto layer = make_layer(parts, name.starts_with(kTextEncoderPrefix) ? alpha->text_encoder : alpha->unet);
    if (!layer) return tl::unexpected(layer.error());
    lora.layers[name] = *std::move(layer);
  }
  return lora;
}

Result<Lora> read_lora(const std::filesystem::path& path) {
  const auto about_path = [&](const Error& error) {
    return Error{fmt::format("{}: {}", path.string(), error.message)};
  };
  const auto opened = Safetensors::open(path);
  if (!opened) return tl::unexpected(opened.error());
  auto tensors = opened->tensors();
  if (!tensors) return tl::unexpected(tensors.error());
  std::optional<nlohmann::json> config;
  if (std::ifstream stream(path.parent_path() / "adapter_config.json"); stream)
    config = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
  return lora_of_file({*std::move(tensors), opened->metadata()}, config ? &*config : nullptr).map_error(about_path);
}

}  // namespace atelier::diffusion
