#include "diffusion/lora_format.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/finite.h"
#include "diffusion/lora_alpha.h"
#include "diffusion/lora_dense.h"
#include "diffusion/lora_names.h"
#include "diffusion/lora_updates.h"

namespace atelier::diffusion {
namespace {

/// The tensors of one layer as they are found; the key is one of theirs, for messages.
struct FoundLayer {
  std::string key;
  LoraFactors factors;
  std::optional<double> alpha;
};

struct FoundFile {
  LoraNaming naming = LoraNaming::kohya;
  std::map<std::string, FoundLayer> layers;
  std::vector<std::string> skipped;
};

tl::unexpected<Error> doubled(const std::string& key) {
  return fail(fmt::format("LoRA key '{}': the file holds this layer twice, in two namings", key));
}

Result<void> add_key(FoundLayer& layer, const LoraKey& parsed, const std::string& key, const at::Tensor& tensor) {
  layer.key = key;
  if (parsed.factor == LoraFactor::alpha) {
    if (tensor.numel() != 1)
      return fail(fmt::format("LoRA key '{}' has shape {}, wanted is one number", key, shape_text(tensor.sizes())));
    if (layer.alpha) return doubled(key);
    layer.alpha = tensor.to(at::kDouble).item<double>();
    return {};
  }
  // peft's magnitude has one number for each output, a convolution's as [1, out, 1, 1].
  const bool of_outputs = parsed.factor == LoraFactor::magnitude && parsed.naming != LoraNaming::kohya;
  if (!layer.factors.emplace(parsed.factor, of_outputs ? tensor.flatten() : tensor).second) return doubled(key);
  return {};
}

Result<FoundFile> sort_keys(const LoraFile& file, bool skip_unknown) {
  FoundFile found;
  for (const auto& [key, tensor] : file.tensors) {
    auto parsed = parse_lora_key(key);
    if (!parsed) {
      if (!skip_unknown || foreign_kind(key)) return tl::unexpected(parsed.error());
      found.skipped.push_back(key);
      continue;
    }
    found.naming = parsed->naming;
    if (auto added = add_key(found.layers[parsed->layer], *parsed, key, tensor); !added)
      return tl::unexpected(added.error());
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

tl::unexpected<Error> misfit(const FoundLayer& found, const at::Tensor& down, const at::Tensor& up) {
  return fail(fmt::format("LoRA key '{}': down of shape {} and up of shape {} do not fit together", found.key,
                          shape_text(down.sizes()), shape_text(up.sizes())));
}

bool is_pointwise(const at::Tensor& factor) { return factor.dim() == 4 && factor.size(2) == 1 && factor.size(3) == 1; }

/// LoCon in Tucker's form, up [out, r], mid [r, r, kh, kw], down [r, in], has the kernel in mid; mid times down is an A
/// of rank r that has it, of which each number is computed in float64 and rounded once.
Result<at::Tensor> down_of_tucker(const FoundLayer& found, const at::Tensor& down, const at::Tensor& mid) {
  const int64_t rank = down.size(0);
  if (!is_pointwise(down) || mid.dim() != 4 || mid.size(0) != rank || mid.size(1) != rank)
    return fail(fmt::format("LoRA key '{}': down of shape {} and mid of shape {} do not fit together", found.key,
                            shape_text(down.sizes()), shape_text(mid.sizes())));
  return at::einsum("pqkl,qi->pikl", {mid.to(at::kDouble), down.flatten(1).to(at::kDouble)})
      .to(at::kFloat)
      .contiguous();
}

Result<LoraLayer> make_layer(const std::string& name, const FoundLayer& found, const DefaultAlpha& alpha) {
  const auto down_at = found.factors.find(LoraFactor::down), up_at = found.factors.find(LoraFactor::up);
  const bool has_down = down_at != found.factors.end(), has_up = up_at != found.factors.end();
  if (!has_down && !has_up)
    return fail(fmt::format("LoRA key '{}': both halves of its layer, down and up, are missing", found.key));
  if (!has_down || !has_up)
    return fail(fmt::format("LoRA key '{}': its other half, {}, is missing", found.key, has_down ? "up" : "down"));
  at::Tensor down = down_at->second;
  const at::Tensor& up = up_at->second;
  const bool is_linear = down.dim() == 2 && up.dim() == 2;
  if (!((down.dim() == 4 && is_pointwise(up)) || is_linear) || up.size(1) != down.size(0))
    return misfit(found, down, up);
  if (down.size(0) < 1) return fail(fmt::format("LoRA layer '{}' has rank 0: it holds nothing", name));
  for (const at::Tensor& factor : {down, up})
    if (!factor.is_floating_point())
      return fail(fmt::format("LoRA key '{}': its numbers are whole ones, {}; wanted are F16, BF16 or F32", found.key,
                              toString(factor.scalar_type())));
  if (const auto mid = found.factors.find(LoraFactor::mid); mid != found.factors.end()) {
    auto contracted = down_of_tucker(found, down, mid->second);
    if (!contracted) return tl::unexpected(contracted.error());
    down = *std::move(contracted);
  }
  return LoraLayer{.a = down,
                   .b = up.flatten(1),
                   .alpha = found.alpha.value_or(alpha.of(part_of(name)).of(path_in_part(name), down.size(0)))};
}

Result<DenseUpdate> make_dense(const std::string& name, const FoundLayer& found) {
  const DenseKind kind = is_loha(found.factors) ? DenseKind::loha : DenseKind::lokr;
  return DenseUpdate::create(kind, found.factors, found.alpha.value_or(0)).map_error([&](const Error& error) {
    return Error{fmt::format("LoRA layer '{}': {}", name, error.message)};
  });
}

Result<void> add_layer(LoraUpdates& updates, const std::string& name, const FoundLayer& found,
                       const DefaultAlpha& alpha) {
  const bool loha = is_loha(found.factors), lokr = is_lokr(found.factors);
  const bool thin = found.factors.contains(LoraFactor::down) || found.factors.contains(LoraFactor::up);
  if (static_cast<int>(loha) + static_cast<int>(lokr) + static_cast<int>(thin) > 1)
    return fail(fmt::format("LoRA layer '{}' has tensors of more than one kind of adapter", name));
  if (loha || lokr) {
    auto dense = make_dense(name, found);
    if (!dense) return tl::unexpected(dense.error());
    updates.dense.emplace(name, *std::move(dense));
  } else {
    auto layer = make_layer(name, found, alpha);
    if (!layer) return tl::unexpected(layer.error());
    updates.lora.layers.emplace(name, *std::move(layer));
  }
  if (const auto magnitude = found.factors.find(LoraFactor::magnitude); magnitude != found.factors.end())
    updates.magnitudes.emplace(name, magnitude->second.to(at::kFloat));
  return {};
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

Result<LoraUpdates> lora_updates_of_file(const LoraFile& file, const LoraReading& reading) {
  auto found = sort_keys(file, reading.skip_unknown);
  if (!found) return tl::unexpected(found.error());
  auto alpha = default_alpha(*found, file.metadata, reading.adapter_config);
  if (!alpha) return tl::unexpected(alpha.error());
  LoraUpdates updates;
  for (const auto& [name, parts] : found->layers)
    if (auto added = add_layer(updates, name, parts, *alpha); !added) return tl::unexpected(added.error());
  updates.lora.base = base_of_metadata(file.metadata);
  if (!updates.lora.base) updates.lora.base = base_of_layers(file, updates.lora);
  updates.skipped = std::move(found->skipped);
  updates.naming = found->naming;
  return updates;
}

std::vector<Error> lora_faults(const LoraFile& file, const nlohmann::json* adapter_config) {
  std::vector<Error> faults;
  FoundFile found;
  const auto keep = [&](const Result<void>& done) {
    if (!done) faults.push_back(done.error());
  };
  for (const auto& [key, tensor] : file.tensors) {
    const auto parsed = parse_lora_key(key);
    if (!parsed) {
      faults.push_back(parsed.error());
      continue;
    }
    found.naming = parsed->naming;
    keep(add_key(found.layers[parsed->layer], *parsed, key, tensor));
  }
  if (found.layers.empty()) return {Error{"the file holds no LoRA"}};
  const auto alpha = default_alpha(found, file.metadata, adapter_config);
  if (!alpha) faults.push_back(alpha.error());
  LoraUpdates updates;
  for (const auto& [name, parts] : found.layers) keep(add_layer(updates, name, parts, alpha.value_or(DefaultAlpha{})));
  return faults;
}

Result<Lora> lora_of_file(const LoraFile& file, const nlohmann::json* adapter_config) {
  return lora_updates_of_file(file, {.adapter_config = adapter_config}).and_then(as_lora).map(in_float32);
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

std::optional<nlohmann::json> adapter_config_beside(const std::filesystem::path& file) {
  std::ifstream stream(file.parent_path() / "adapter_config.json");
  if (!stream) return std::nullopt;
  return nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
}

namespace {

/// What `read` makes of the file at `path` and of the adapter_config.json beside it.
template <class Read>
auto read_file(const std::filesystem::path& path,
               const Read& read) -> decltype(read(LoraFile{}, static_cast<const nlohmann::json*>(nullptr))) {
  const auto opened = Safetensors::open(path);
  if (!opened) return tl::unexpected(opened.error());
  auto tensors = opened->tensors();
  if (!tensors) return tl::unexpected(tensors.error());
  if (auto finite = check_finite(*tensors, path); !finite) return tl::unexpected(finite.error());
  const auto config = adapter_config_beside(path);
  return read(LoraFile{*std::move(tensors), opened->metadata()}, config ? &*config : nullptr)
      .map_error([&](const Error& error) { return Error{fmt::format("{}: {}", path.string(), error.message)}; });
}

}  // namespace

Result<Lora> read_lora(const std::filesystem::path& path) { return read_file(path, lora_of_file); }

Result<LoraUpdates> read_lora_updates(const std::filesystem::path& path, bool skip_unknown) {
  return read_file(path, [&](const LoraFile& file, const nlohmann::json* config) {
    return lora_updates_of_file(file, {.adapter_config = config, .skip_unknown = skip_unknown});
  });
}

}  // namespace atelier::diffusion
