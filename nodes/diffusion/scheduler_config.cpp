#include "diffusion/scheduler_config.h"

#include <fmt/format.h>

#include "diffusion/json_reader.h"

namespace atelier::diffusion {
namespace {

PredictionType read_prediction(JsonReader& reader) {
  const auto prediction = reader.text("prediction_type", "epsilon");
  if (prediction == "v_prediction") return PredictionType::v_prediction;
  if (prediction != "epsilon") {
    reader.mistake(fmt::format(
        "'prediction_type' is \"{}\", which is not supported; supported: \"epsilon\", \"v_prediction\"", prediction));
  }
  return PredictionType::epsilon;
}

std::optional<TimestepSpacing> read_spacing(JsonReader& reader) {
  if (!reader.has("timestep_spacing")) return std::nullopt;
  const auto spacing = timestep_spacing_named(reader.text("timestep_spacing", ""));
  if (spacing) return *spacing;
  reader.mistake(spacing.error().message);
  return std::nullopt;
}

FinalSigma read_final_sigma(JsonReader& reader) {
  const auto type = reader.text("final_sigmas_type", "zero");
  if (type == "sigma_min") return FinalSigma::sigma_min;
  if (type != "zero") {
    reader.mistake(
        fmt::format("'final_sigmas_type' is \"{}\", which is not supported; supported: \"sigma_min\", \"zero\"", type));
  }
  return FinalSigma::zero;
}

/// What a published file can ask for and no sampler here does. Which solver it names is not looked at: the request
/// names the sampler.
void refuse_unsupported(JsonReader& reader) {
  reader.only("thresholding", {false});
  reader.only("trained_betas", {});
  reader.only("interpolation_type", {"linear"});
  reader.only("timestep_type", {"discrete"});
  reader.only("use_flow_sigmas", {false});
  reader.only("sigma_min", {});
  reader.only("sigma_max", {});
}

}  // namespace

std::string_view name_of(TimestepSpacing spacing) {
  switch (spacing) {
    case TimestepSpacing::leading:
      return "leading";
    case TimestepSpacing::trailing:
      return "trailing";
    case TimestepSpacing::linspace:
      return "linspace";
  }
  return "";
}

Result<TimestepSpacing> timestep_spacing_named(std::string_view name) {
  if (name == "leading") return TimestepSpacing::leading;
  if (name == "trailing") return TimestepSpacing::trailing;
  if (name == "linspace") return TimestepSpacing::linspace;
  return fail(
      fmt::format("'timestep_spacing' is \"{}\", which is not supported; supported: \"leading\", \"trailing\", "
                  "\"linspace\"",
                  name));
}

Result<SchedulerConfig> parse_scheduler_config(const nlohmann::json& json, const std::string& file) {
  JsonReader reader(json, file);
  SchedulerConfig config;
  config.num_train_timesteps = reader.size("num_train_timesteps", 1000);
  config.beta_schedule = reader.text("beta_schedule", "linear");
  config.beta_start = reader.number("beta_start", 0.0001);
  config.beta_end = reader.number("beta_end", 0.02);
  config.rescale_betas_zero_snr = reader.flag("rescale_betas_zero_snr", false);
  config.prediction_type = read_prediction(reader);
  config.timestep_spacing = read_spacing(reader);
  config.steps_offset = reader.integer("steps_offset", 0);
  config.final_sigma = read_final_sigma(reader);
  config.lower_order_final = reader.flag("lower_order_final", true);
  config.euler_at_final = reader.flag("euler_at_final", false);
  config.set_alpha_to_one = reader.flag("set_alpha_to_one", true);
  config.clip_sample = reader.flag("clip_sample", false);
  config.clip_sample_range = reader.number("clip_sample_range", 1.0);
  if (config.steps_offset < 0)
    reader.mistake(fmt::format("'steps_offset' is {}, expected 0 or more", config.steps_offset));
  refuse_unsupported(reader);
  if (auto ok = reader.check(); !ok) return tl::unexpected(ok.error());
  return config;
}

}  // namespace atelier::diffusion
