// The writing half of lora_format.h.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "diffusion/lora_alpha.h"
#include "diffusion/lora_format.h"
#include "diffusion/lora_hash.h"
#include "diffusion/lora_names.h"

namespace atelier::diffusion {
namespace {

/// A number as kohya writes it into metadata: 8 as "8", 0.5 as "0.5".
std::string number_text(double value) { return fmt::format("{}", value); }

struct Extent {
  int64_t rank = 0;
  double alpha = 0;
};

/// The largest rank and the largest alpha, by its size, of all layers.
Extent extent_of(const Lora& lora) {
  Extent extent;
  for (const auto& [name, layer] : lora.layers) {
    extent.rank = std::max(extent.rank, layer.rank());
    extent.alpha = std::max(extent.alpha, std::abs(layer.alpha));
  }
  return extent;
}

bool is_spatial(const at::Tensor& down) { return down.dim() == 4 && (down.size(2) > 1 || down.size(3) > 1); }

/// The largest rank of convolutions that look at neighbours, which kohya's trainer calls conv_dim; 0 without any.
int64_t conv_rank_of(const Lora& lora) {
  int64_t rank = 0;
  for (const auto& [name, layer] : lora.layers)
    if (is_spatial(layer.a)) rank = std::max(rank, layer.rank());
  return rank;
}

/// modelspec's word for the code that the names of the layers come from.
std::string_view implementation(const LoraBase& base) {
  return base.architecture == Architecture::sdxl ? "https://github.com/Stability-AI/generative-models" : "diffusers";
}

/// What every naming's file says; only kohya's names his trainer's module, since its loaders go by it.
Metadata metadata_of(const Lora& lora, LoraNaming naming, const Extent& extent, const LoraMetadata& about) {
  const LoraBase base = lora.base.value_or(LoraBase{});
  const bool kohya = naming == LoraNaming::kohya;
  Metadata metadata = {{"format", "pt"},
                       {"modelspec.architecture", fmt::format("{}/lora", modelspec_architecture(base))},
                       {"modelspec.implementation", kohya ? std::string(implementation(base)) : "diffusers"},
                       {"modelspec.prediction_type", std::string(modelspec_prediction(base))},
                       {"modelspec.sai_model_spec", "1.0.0"},
                       {"modelspec.title", about.title},
                       {"ss_base_model_version", kohya_version(base)},
                       {"ss_network_alpha", number_text(extent.alpha)},
                       {"ss_network_dim", std::to_string(extent.rank)},
                       {"ss_v2", base.architecture == Architecture::sd2 ? "True" : "False"}};
  if (kohya) metadata["ss_network_module"] = "networks.lora";
  if (base.zero_terminal_snr) metadata["ss_zero_terminal_snr"] = "True";
  if (const int64_t conv_rank = conv_rank_of(lora); kohya && conv_rank > 0)
    metadata["ss_network_args"] =
        fmt::format(R"({{"conv_dim": "{}", "conv_alpha": "{}"}})", conv_rank, number_text(extent.alpha));
  if (!about.resolution.empty()) metadata["modelspec.resolution"] = about.resolution;
  if (about.date) metadata["modelspec.date"] = *about.date;
  for (const auto& [key, value] : about.more) metadata.insert({key, value});
  return metadata;
}

/// A layer's tensors as they stand in a file, whose up has the scale that alpha does not say.
struct WrittenLayer {
  at::Tensor down, up;
  double alpha;
};

WrittenLayer written(const LoraLayer& layer, double largest_alpha, LoraAlphas alphas, at::ScalarType dtype) {
  at::Tensor up = layer.b.flatten(1).to(at::kFloat);
  const bool folded = alphas == LoraAlphas::one && layer.alpha != largest_alpha;
  if (folded) up = up * (layer.alpha / largest_alpha);
  if (layer.a.dim() == 4) up = up.view({up.size(0), up.size(1), 1, 1});
  return {layer.a.to(dtype).contiguous(), up.to(dtype).contiguous(), folded ? largest_alpha : layer.alpha};
}

/// The layers of one part under their paths there.
std::map<std::string, WrittenLayer> layers_of(const Lora& lora, LoraPart part, double largest_alpha, LoraAlphas alphas,
                                              at::ScalarType dtype) {
  std::map<std::string, WrittenLayer> layers;
  for (const auto& [name, layer] : lora.layers)
    if (part_of(name) == part) layers[std::string(path_in_part(name))] = written(layer, largest_alpha, alphas, dtype);
  return layers;
}

constexpr std::string_view kTextModel = "text_model.";

/// The end of a path that means the same module with and without `text_model.` before it: transformers 5 has it in the
/// second text encoder only, and peft takes an end for the whole.
std::string pattern_of(const std::string& path) {
  return path.starts_with(kTextModel) ? path.substr(kTextModel.size()) : path;
}

template <class T>
T most_frequent(const std::map<T, int>& counts) {
  return std::ranges::max_element(counts, {}, [](const auto& item) { return item.second; })->first;
}

/// Rank and alpha of the most layers, and in patterns those of the others, as peft's LoraConfig has them.
nlohmann::json lora_config(const std::map<std::string, WrittenLayer>& layers) {
  std::map<int64_t, int> ranks;
  std::map<double, int> alphas;
  for (const auto& [path, layer] : layers) ++ranks[layer.down.size(0)], ++alphas[layer.alpha];
  const int64_t rank = most_frequent(ranks);
  const double alpha = most_frequent(alphas);
  nlohmann::json config = {{"r", rank},
                           {"lora_alpha", alpha},
                           {"rank_pattern", nlohmann::json::object()},
                           {"alpha_pattern", nlohmann::json::object()},
                           {"target_modules", nlohmann::json::array()}};
  for (const auto& [path, layer] : layers) {
    const std::string pattern = pattern_of(path);
    config["target_modules"].push_back(pattern);
    if (layer.down.size(0) != rank) config["rank_pattern"][pattern] = layer.down.size(0);
    if (layer.alpha != alpha) config["alpha_pattern"][pattern] = layer.alpha;
  }
  return config;
}

constexpr std::array kParts = {LoraPart::unet, LoraPart::text_encoder, LoraPart::text_encoder_2};

/// The path of a layer in peft's keys: that of the module in transformers 5, whose CLIPTextModel has no `text_model`.
std::string peft_path(LoraPart part, const std::string& path) {
  return part == LoraPart::text_encoder ? pattern_of(path) : path;
}

}  // namespace

std::string_view name_of(LoraPart part) {
  if (part == LoraPart::unet) return "unet";
  return part == LoraPart::text_encoder ? "text_encoder" : "text_encoder_2";
}

LoraFile to_kohya(const Lora& lora, const LoraMetadata& metadata, LoraAlphas alphas, at::ScalarType dtype) {
  const Extent extent = extent_of(lora);
  LoraFile file{{}, metadata_of(lora, LoraNaming::kohya, extent, metadata)};
  for (const auto& [name, layer] : lora.layers) {
    const std::string key = kohya_key(name, lora.base.value_or(LoraBase{}).architecture);
    const WrittenLayer parts = written(layer, extent.alpha, alphas, dtype);
    file.tensors[key + ".lora_down.weight"] = parts.down;
    file.tensors[key + ".lora_up.weight"] = parts.up;
    file.tensors[key + ".alpha"] = at::scalar_tensor(parts.alpha, at::kFloat);
  }
  add_kohya_hashes(file);
  return file;
}

LoraFile to_diffusers(const Lora& lora, const LoraMetadata& metadata, LoraAlphas alphas, at::ScalarType dtype) {
  const Extent extent = extent_of(lora);
  LoraFile file{{}, metadata_of(lora, LoraNaming::diffusers, extent, metadata)};
  nlohmann::json adapter = nlohmann::json::object();
  for (const LoraPart part : kParts) {
    const auto layers = layers_of(lora, part, extent.alpha, alphas, dtype);
    if (layers.empty()) continue;
    for (const auto& [path, layer] : layers) {
      file.tensors[fmt::format("{}.{}.lora_A.weight", name_of(part), path)] = layer.down;
      file.tensors[fmt::format("{}.{}.lora_B.weight", name_of(part), path)] = layer.up;
    }
    const nlohmann::json config = lora_config(layers);
    for (const auto& [key, value] : config.items()) adapter[fmt::format("{}.{}", name_of(part), key)] = value;
  }
  file.metadata["lora_adapter_metadata"] = adapter.dump();
  add_kohya_hashes(file);
  return file;
}

std::map<LoraPart, PeftAdapter> to_peft(const Lora& lora, const LoraMetadata& metadata, LoraAlphas alphas,
                                        at::ScalarType dtype) {
  const Extent extent = extent_of(lora);
  std::map<LoraPart, PeftAdapter> adapters;
  for (const LoraPart part : kParts) {
    const auto layers = layers_of(lora, part, extent.alpha, alphas, dtype);
    if (layers.empty()) continue;
    PeftAdapter& adapter = adapters[part];
    adapter.file.metadata = metadata_of(lora, LoraNaming::peft, extent, metadata);
    for (const auto& [path, layer] : layers) {
      const std::string key = "base_model.model." + peft_path(part, path);
      adapter.file.tensors[key + ".lora_A.weight"] = layer.down;
      adapter.file.tensors[key + ".lora_B.weight"] = layer.up;
    }
    add_kohya_hashes(adapter.file);
    adapter.config = lora_config(layers);
    adapter.config.update({{"peft_type", "LORA"},
                           {"task_type", nullptr},
                           {"base_model_name_or_path", nullptr},
                           {"bias", "none"},
                           {"fan_in_fan_out", false},
                           {"inference_mode", true},
                           {"use_rslora", false},
                           {"use_dora", false}});
  }
  return adapters;
}

}  // namespace atelier::diffusion
