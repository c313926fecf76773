#include "diffusion/training_memory.h"

#include <algorithm>
#include <map>
#include <string>

#include "diffusion/clip_text.h"
#include "diffusion/lora_targets.h"
#include "diffusion/name_patterns.h"
#include "diffusion/text_encoders.h"
#include "diffusion/training_memory_pass.h"
#include "diffusion/unet.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {
namespace {

constexpr double kFloatBytes = 4;
constexpr const char* kUNetPrefix = "unet.";
/// Of what comes and goes in a step: glibc's heap has holes. Measured on this code's own trainings (bench/README.md):
/// the process's memory is that much more than what is in use, 0.05 where maps are few to 0.22 where they are many.
constexpr double kHoles = 0.125;

int64_t elements(at::IntArrayRef shape) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

/// Numbers that the optimizer keeps of a trained tensor: two moments; or Adafactor's mean squares over each of the last
/// two axes, which for kernels of convolutions are almost as many as the kernel has (adafactor.cpp).
int64_t optimizer_memory(OptimizerKind optimizer, at::IntArrayRef shape) {
  const int64_t count = elements(shape);
  if (optimizer == OptimizerKind::adamw) return 2 * count;
  return shape.size() < 2 ? count : count / shape[shape.size() - 1] + count / shape[shape.size() - 2];
}

/// A model of no memory, asked for what it consists of.
struct Part {
  std::string prefix;                                  // of its weights' names
  std::map<std::string, std::vector<int64_t>> shapes;  // of its weights
  std::vector<LoraTarget> adaptable;
  bool trained = false;
  at::ScalarType dtype = at::kFloat;

  /// The layer that a weight belongs to, as adapters name it.
  std::string layer_of(const std::string& weight) const {
    return (prefix == kUNetPrefix ? "" : prefix) + weight.substr(0, weight.rfind('.'));
  }
};

std::vector<Part> parts_of(const TrainingShape& shape) {
  std::vector<Part> parts;
  WeightReader unet_weights = WeightReader::blank();
  if (const auto unet = UNet::create(shape.unet, unet_weights))
    parts.push_back({kUNetPrefix, unet_weights.asked(), (*unet)->adaptable_layers(), shape.train_unet, shape.dtype});
  for (size_t i = 0; i < shape.text.size(); ++i) {
    const std::string prefix(text_encoder_prefix(i));
    WeightReader weights = WeightReader::blank();
    const auto text = ClipTextModel::create(shape.text[i], weights, prefix);
    if (!text) continue;
    Part part{prefix, {}, (*text)->adaptable_layers(), shape.train_text, shape.text_dtype};
    for (const auto& [name, sides] :
         weights.asked())  // published files have all but the projection under `text_model.`
      part.shapes[name.starts_with("text_") ? name : "text_model." + name] = sides;
    parts.push_back(std::move(part));
  }
  return parts;
}

TrainedLayers lora_layers(const std::vector<Part>& parts, const TrainingShape& shape) {
  std::vector<LoraTarget> all;
  for (const Part& part : parts)
    if (part.trained) all.insert(all.end(), part.adaptable.begin(), part.adaptable.end());
  const LoraShape ranks{.rank = shape.rank, .conv_rank = shape.conv_rank};
  auto chosen = select_lora_targets(all, ranks, shape.targets);
  if (!chosen) chosen = select_lora_targets(all, ranks);
  TrainedLayers layers;
  for (const LoraTarget& target : *chosen) {
    const bool wide = target.weight_shape.size() == 4 && target.weight_shape[2] > 1;
    const int64_t rank = wide && shape.conv_rank > 0 ? shape.conv_rank : shape.rank;
    std::vector<int64_t> down = target.weight_shape;
    const std::vector<int64_t> up{down[0], rank};
    down[0] = rank;
    TrainedLayer& layer = layers[target.name];
    layer.rank = rank;
    for (const std::vector<int64_t>& factor : {down, up}) {
      layer.elements += elements(factor);
      layer.memory += optimizer_memory(shape.optimizer, factor);
    }
  }
  return layers;
}

TrainedLayers learning_layers(const std::vector<Part>& parts, const TrainingShape& shape) {
  const auto patterns = NamePatterns::create(shape.targets);
  const bool all = shape.targets.empty() || !patterns;
  TrainedLayers layers;
  for (const Part& part : parts)
    for (const auto& [name, sides] : part.shapes) {
      const std::string full = part.prefix + name, module = full.substr(0, full.rfind('.'));
      if (!part.trained || !(all || patterns->match(module) || patterns->match(full))) continue;
      TrainedLayer& layer = layers[part.layer_of(name)];
      layer.learns = true;
      layer.elements += elements(sides);
      layer.memory += optimizer_memory(shape.optimizer, sides);
    }
  return layers;
}

/// Of what is trained, in bytes.
struct Held {
  double numbers = 0;   // how many; no bytes
  double saved = 0;     // values, the optimizer's memory, averages
  double always = 0;    // those and rounded copies of the values
  double gradient = 0;  // of one number, as a pass gives it
  double sum = 0;       // of one number, where passes are added up
};

Held held_of(const TrainingShape& shape, const TrainedLayers& layers) {
  // Values are float32; whole weights have a rounded copy besides in less than that, and their gradients come in it.
  const bool rounded = shape.trained == TrainedWeights::all && shape.dtype != at::kFloat;
  const auto bytes = static_cast<double>(at::elementSize(shape.dtype));
  double numbers = 0, memory = 0;
  for (const auto& [name, layer] : layers) {
    numbers += static_cast<double>(layer.elements);
    memory += static_cast<double>(layer.memory);
  }
  const double saved = ((shape.averages ? 2 : 1) * numbers + memory) * kFloatBytes;
  return {.numbers = numbers,
          .saved = saved,
          .always = saved + (rounded ? bytes * numbers : 0),
          .gradient = rounded ? bytes : kFloatBytes,
          .sum = shape.several_passes ? kFloatBytes : 0};
}

/// Beside the weights.
struct Moment {
  double trained = 0, activations = 0, workspace = 0;
  double total() const { return trained + activations + workspace; }
};

const Moment& most(const Moment& a, const Moment& b) { return a.total() < b.total() ? b : a; }

/// The backward pass comes from the last stage to the first: what a stage kept goes, and its gradients come.
Moment backward_moment(const std::vector<PassStage>& stages, const Held& held) {
  Moment found;
  double kept_before = 0, gradients = held.numbers;
  for (const PassStage& stage : stages) {
    found = most(found, {.trained = held.always + held.numbers * held.sum + gradients * held.gradient,
                         .activations = kept_before + stage.kept,
                         .workspace = stage.work});
    kept_before += stage.again ? stage.input : stage.kept;
    gradients -= static_cast<double>(stage.trained);
  }
  return found;
}

/// A pass's gradients in float32, about to be added to those before.
Moment sum_moment(const Held& held) { return {.trained = held.always + 2 * held.numbers * held.sum}; }

Moment optimizer_moment(const TrainingShape& shape, const TrainedLayers& layers, const Held& held) {
  // AdamW takes the root of the second moment, on a GPU of many tensors at once (adamw.cpp); Adafactor the
  // gradient's square, the update and roots of its mean squares. Both take a gradient of less precision in float32.
  constexpr double kTogetherOnGpu = int64_t{32} << 20;
  double largest = 0;
  for (const auto& [name, layer] : layers) largest = std::max(largest, static_cast<double>(layer.elements));
  const bool adamw = shape.optimizer == OptimizerKind::adamw;
  if (adamw && shape.device != at::kCPU) largest = std::max(largest, std::min(held.numbers, kTogetherOnGpu));
  const double gradient = held.sum > 0 ? held.sum : held.gradient;
  const double copies = (adamw ? 1 : 3) + (gradient < kFloatBytes ? 1 : 0);
  return {.trained = held.always + held.numbers * gradient, .workspace = copies * largest * kFloatBytes};
}

/// Of the base; what learns is counted with what is trained.
double frozen_bytes(const std::vector<Part>& parts, const TrainedLayers& layers) {
  double bytes = 0;
  for (const Part& part : parts) {
    std::map<std::string, int64_t> numbers;  // of each layer
    for (const auto& [name, sides] : part.shapes) numbers[part.layer_of(name)] += elements(sides);
    for (const auto& [name, count] : numbers) {
      const auto found = layers.find(name);
      const int64_t learning = found != layers.end() && found->second.learns ? found->second.elements : 0;
      bytes += static_cast<double>((count - learning) * static_cast<int64_t>(at::elementSize(part.dtype)));
    }
  }
  return bytes;
}

}  // namespace

TrainingMemory training_memory(const TrainingShape& shape) {
  const std::vector<Part> parts = parts_of(shape);
  const TrainedLayers layers = shape.trained == TrainedWeights::lora  ? lora_layers(parts, shape)
                               : shape.trained == TrainedWeights::all ? learning_layers(parts, shape)
                                                                      : TrainedLayers();
  const Held held = held_of(shape, layers);
  Moment moment = most(backward_moment(stages_of_pass(shape, layers), held), optimizer_moment(shape, layers, held));
  if (shape.several_passes) moment = most(moment, sum_moment(held));
  if (shape.device == at::kCPU)
    moment.workspace += kHoles * (moment.activations + moment.workspace + moment.trained - held.always);
  const double weights = frozen_bytes(parts, layers);
  return {.weights = static_cast<uint64_t>(weights),
          .trained = static_cast<uint64_t>(moment.trained),
          .activations = static_cast<uint64_t>(moment.activations),
          .workspace = static_cast<uint64_t>(moment.workspace),
          .at_rest = static_cast<uint64_t>(weights + held.always),
          .checkpoint = static_cast<uint64_t>(held.saved)};
}

}  // namespace atelier::diffusion
