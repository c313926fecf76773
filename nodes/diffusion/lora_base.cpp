#include "diffusion/lora_base.h"

#include <array>

namespace atelier::diffusion {
namespace {

struct BaseName {
  LoraBase base;
  std::string_view kohya, modelspec;
};

constexpr auto kEpsilon = PredictionType::epsilon;
constexpr auto kVelocity = PredictionType::v_prediction;

/// Where a name stands for two bases, the first is what is read from it.
constexpr std::array kNames = {
    BaseName{{Architecture::sd1, kEpsilon}, "sd_v1", "stable-diffusion-v1"},
    BaseName{{Architecture::sd1, kVelocity}, "sd_v1_v", "stable-diffusion-v1"},
    BaseName{{Architecture::sd2, kEpsilon}, "sd_v2", "stable-diffusion-v2-512"},
    BaseName{{Architecture::sd2, kVelocity}, "sd_v2_v", "stable-diffusion-v2-768-v"},
    BaseName{{Architecture::sdxl, kEpsilon}, "sdxl_base_v1-0", "stable-diffusion-xl-v1-base"},
    BaseName{{Architecture::sdxl, kVelocity}, "sdxl_base_v1-0", "stable-diffusion-xl-v1-base"},
};

const BaseName& name_of(const LoraBase& base) {
  for (const BaseName& name : kNames)
    if (name.base.architecture == base.architecture && name.base.prediction == base.prediction) return name;
  return kNames.front();
}

std::string_view value_of(const std::map<std::string, std::string>& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<LoraBase> base_of_modelspec(std::string_view architecture) {
  const std::string_view name = architecture.substr(0, architecture.find('/'));
  for (const BaseName& known : kNames)
    if (known.modelspec == name) return known.base;
  return std::nullopt;
}

}  // namespace

std::string kohya_version(const LoraBase& base) { return std::string(name_of(base).kohya); }

std::optional<LoraBase> base_of_version(std::string_view kohya_version) {
  for (const BaseName& known : kNames)
    if (known.kohya == kohya_version) return known.base;
  return std::nullopt;
}

std::string_view modelspec_architecture(const LoraBase& base) { return name_of(base).modelspec; }

std::string_view modelspec_prediction(const LoraBase& base) { return base.prediction == kVelocity ? "v" : "epsilon"; }

std::optional<LoraBase> base_of_metadata(const std::map<std::string, std::string>& metadata) {
  auto base = base_of_version(value_of(metadata, "ss_base_model_version"));
  if (!base) base = base_of_modelspec(value_of(metadata, "modelspec.architecture"));
  if (!base && value_of(metadata, "ss_v2") == "True") base = LoraBase{Architecture::sd2, kEpsilon};
  if (base && value_of(metadata, "modelspec.prediction_type") == "v") base->prediction = kVelocity;
  if (base && value_of(metadata, "ss_zero_terminal_snr") == "True") base->zero_terminal_snr = true;
  return base;
}

}  // namespace atelier::diffusion
