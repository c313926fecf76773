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

// Photos of a batch: of each dataset `batch_size`.
std::int64_t rows_of_a_batch(const Params& params, const InputInfo& info) {
  const auto datasets = info.sources.find("datasets");
  const auto count = datasets == info.sources.end() ? 1 : static_cast<std::int64_t>(datasets->second);
  return params.integer("batch_size") * std::max<std::int64_t>(1, count);
}

std::int64_t rows_of_a_pass(const Params& params, const InputInfo& info) {
  const auto rows = rows_of_a_batch(params, info), most = params.integer("micro_batch");
  return most > 0 ? std::min(most, rows) : rows;
}

at::ScalarType dtype_of(const std::string& precision) {
  return precision == "bfloat16" ? at::kBFloat16 : precision == "float16" ? at::kHalf : at::kFloat;
}

bool several_passes(const Params& params, const InputInfo& info) {
  return params.integer("gradient_accumulation") > 1 || rows_of_a_pass(params, info) < rows_of_a_batch(params, info);
}

// What the text encoders do in a training: nothing where the dataset's states serve, encode captions beside it, in
// float32 as `encode` does, or take part in its passes.
enum class TextRole { none, encodes, takes_part };

TextRole text_role(TrainedWeights trained, const Params& params, const InputInfo& info) {
  const auto embedding = info.sources.find("embedding");
  const bool has_word = embedding != info.sources.end() && embedding->second > 0;
  if (trained == TrainedWeights::words || has_word || params.boolean("train_text_encoder")) return TextRole::takes_part;
  const bool new_captions = params.boolean("shuffle_tags") || params.number("caption_dropout") > 0;
  return new_captions ? TextRole::encodes : TextRole::none;
}

diffusion::TrainingShape shape_of(TrainedWeights trained, const Params& params, const InputInfo& info,
                                  const diffusion::BaseModel& base) {
  diffusion::TrainingShape shape;
  shape.unet = base.unet_config();
  shape.trained = trained;
  if (trained != TrainedWeights::words) {
    shape.train_unet = params.boolean("train_unet");
    shape.train_text = params.boolean("train_text_encoder");
    shape.targets = params.texts("targets");
  }
  shape.rank = trained == TrainedWeights::lora ? params.integer("rank") : 0;
  if (trained == TrainedWeights::lora && params.given("conv_rank")) shape.conv_rank = params.integer("conv_rank");
  shape.dtype = dtype_of(params.text("precision"));
  const auto role = text_role(trained, params, info);
  if (role != TextRole::none) shape.text = base.text_configs();
  shape.text_dtype = role == TextRole::takes_part ? shape.dtype : at::kFloat;
  shape.device = diffusion::cuda_device_count() > 0 ? at::kCUDA : at::kCPU;
  shape.rows = rows_of_a_pass(params, info);
  shape.several_passes = several_passes(params, info);
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
  const auto base = base_of(info);
  if (!base) return needs;
  const auto shape = shape_of(trained, params, info, *base);
  const auto memory = diffusion::training_memory(shape);
  needs.device_memory_bytes = memory.total();
  // A checkpoint's copies are the host's; so is all else on the CPU, where they and a step's activations take turns.
  if (shape.device == at::kCPU)
    needs.device_memory_bytes = std::max(memory.total(), memory.at_rest + memory.checkpoint);
  else
    needs.memory_bytes = memory.checkpoint;
  return needs;
}

}  // namespace atelier
