#include "training/training_needs.h"

#include <algorithm>
#include <optional>

#include "diffusion/machine.h"
#include "model/base_model.h"

namespace atelier {
namespace {

using diffusion::TrainedWeights;

constexpr std::int64_t kGuessedSteps = 1000;  // where steps_per_image says it: five photos at the default
constexpr double kGuessedSecondsPerStep = 0.5;
constexpr std::int64_t kTokensOfAChunk = 77;

// The base as it reaches the task; nothing where another task makes it.
std::optional<diffusion::BaseModel> base_of(const InputInfo& info) {
  const auto found = info.inputs.find("base");
  if (found == info.inputs.end() || found->second.empty()) return {};
  const auto model = Model::from(*found->second.front());
  if (!model) return {};
  auto base = open_base(*model);
  if (!base) return {};
  return std::move(*base);
}

// Photos of a pass: of each dataset `batch_size`.
std::int64_t rows_of_a_pass(const Params& params, const InputInfo& info) {
  const auto datasets = info.sources.find("datasets");
  const auto count = datasets == info.sources.end() ? 1 : static_cast<std::int64_t>(datasets->second);
  const auto rows = params.integer("batch_size") * std::max<std::int64_t>(1, count);
  const auto most = params.integer("micro_batch");
  return most > 0 ? std::min(most, rows) : rows;
}

at::ScalarType dtype_of(const std::string& precision) {
  return precision == "bfloat16" ? at::kBFloat16 : precision == "float16" ? at::kHalf : at::kFloat;
}

bool text_runs(TrainedWeights trained, const Params& params) {
  return trained == TrainedWeights::words || params.boolean("train_text_encoder") || params.boolean("shuffle_tags") ||
         params.number("caption_dropout") > 0;
}

diffusion::TrainingShape shape_of(TrainedWeights trained, const Params& params, const InputInfo& info,
                                  const diffusion::BaseModel& base) {
  diffusion::TrainingShape shape;
  shape.unet = base.unet_config();
  if (text_runs(trained, params)) shape.text = base.text_configs();
  shape.trained = trained;
  shape.train_text = trained != TrainedWeights::words && params.boolean("train_text_encoder");
  shape.rank = trained == TrainedWeights::lora ? params.integer("rank") : 0;
  if (trained == TrainedWeights::lora && params.given("conv_rank")) shape.conv_rank = params.integer("conv_rank");
  shape.dtype = dtype_of(params.text("precision"));
  shape.device = diffusion::cuda_device_count() > 0 ? at::kCUDA : at::kCPU;
  shape.rows = rows_of_a_pass(params, info);
  const auto size = params.integer("photo_size") > 0 ? params.integer("photo_size") : native_size(base);
  shape.height = shape.width = size / base.vae_config().downscale();
  shape.tokens = kTokensOfAChunk;
  shape.optimizer =
      params.text("optimizer") == "adafactor" ? diffusion::OptimizerKind::adafactor : diffusion::OptimizerKind::adamw;
  shape.averages = params.number("ema_decay") > 0;
  shape.gradient_checkpointing = params.boolean("gradient_checkpointing");
  return shape;
}

}  // namespace

Needs training_needs(TrainedWeights trained, const Params& params, const InputInfo& info) {
  const auto steps = params.given("steps") ? params.integer("steps") : kGuessedSteps;
  Needs needs;
  needs.seconds = static_cast<double>(steps) * kGuessedSecondsPerStep;
  if (const auto base = base_of(info))
    needs.device_memory_bytes = diffusion::training_memory(shape_of(trained, params, info, *base)).total();
  return needs;
}

}  // namespace atelier
