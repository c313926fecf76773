#include "diffusion/original_prediction.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace atelier::diffusion {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

std::optional<Prediction> prediction_in_metadata(const Metadata& metadata) {
  const auto value = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? std::string() : lower(found->second);
  };
  const auto said = [](PredictionType type, std::string_view key) {
    return Prediction{type, false, fmt::format("the file's metadata says so ({})", key)};
  };
  const std::string type = value("modelspec.prediction_type");
  if (type == "epsilon" || type == "eps") return said(PredictionType::epsilon, "modelspec.prediction_type");
  if (type == "v" || type == "v_prediction" || type == "v-prediction") {
    return said(PredictionType::v_prediction, "modelspec.prediction_type");
  }
  const std::string architecture = value("modelspec.architecture");
  if (architecture.starts_with("stable-diffusion-v2-768-v")) {
    return said(PredictionType::v_prediction, "modelspec.architecture");
  }
  if (architecture.starts_with("stable-diffusion-v2-512")) {
    return said(PredictionType::epsilon, "modelspec.architecture");
  }
  if (value("ss_v_parameterization") == "true") return said(PredictionType::v_prediction, "ss_v_parameterization");
  return std::nullopt;
}

}  // namespace

Prediction detect_prediction(Architecture architecture, const TensorEntries& entries, const Metadata& metadata,
                             std::optional<int64_t> global_step) {
  constexpr int64_t kStepsOfSd2Base = 875000;
  const bool zero = entries.contains("ztsnr");
  if (auto said = prediction_in_metadata(metadata)) {
    said->zero_terminal_snr = zero;
    return *said;
  }
  if (entries.contains("v_pred")) return {PredictionType::v_prediction, zero, "the file has the key v_pred"};
  if (architecture != Architecture::sd2) {
    return {PredictionType::epsilon, zero, "nothing in the file says otherwise"};
  }
  if (global_step == kStepsOfSd2Base) {
    return {PredictionType::epsilon, zero, "its global_step is that of SD 2 base"};
  }
  return {PredictionType::v_prediction, zero,
          "nothing in the file says otherwise; if it is an SD 2 base (512 px), give prediction_type: epsilon"};
}

}  // namespace atelier::diffusion
