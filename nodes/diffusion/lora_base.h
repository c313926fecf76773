// Which kind of base a LoRA is for, and what kohya's tools and modelspec call it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "diffusion/config.h"

namespace atelier::diffusion {

struct LoraBase {
  Architecture architecture = Architecture::sd1;
  PredictionType prediction = PredictionType::epsilon;
  bool zero_terminal_snr = false;  ///< trained over a schedule that ends in noise alone
  bool operator==(const LoraBase&) const = default;
};

/// kohya's name of it (`ss_base_model_version`): "sd_v1", "sd_v1_v", "sd_v2", "sd_v2_v", "sdxl_base_v1-0". SDXL's name
/// is the same for both prediction types.
std::string kohya_version(const LoraBase& base);
/// The base of such a name; nothing for any other.
std::optional<LoraBase> base_of_version(std::string_view kohya_version);

/// modelspec's name of the architecture: "stable-diffusion-v1", "stable-diffusion-v2-512", "stable-diffusion-v2-768-v",
/// "stable-diffusion-xl-v1-base". Adapters have "/lora" or "/textual-inversion" after it.
std::string_view modelspec_architecture(const LoraBase& base);
/// modelspec's name of the prediction type: "epsilon", "v".
std::string_view modelspec_prediction(const LoraBase& base);

/// What the metadata of a file says it is for, in kohya's or modelspec's words; nothing where it does not say.
std::optional<LoraBase> base_of_metadata(const std::map<std::string, std::string>& metadata);

}  // namespace atelier::diffusion
