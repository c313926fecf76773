#include "diffusion/training_memory.h"

#include <algorithm>

#include "diffusion/clip_text.h"
#include "diffusion/layers.h"
#include "diffusion/unet.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {
namespace {

constexpr int64_t kFloatBytes = 4;

/// What is kept for the backward pass, in maps of a layer's channels.
struct Kept {
  double resnet_in;    ///< of a residual block, in maps of its input
  double resnet_out;   ///< the same, in maps of its output
  double transformer;  ///< around the layers of a transformer
  double layer;        ///< of one layer of it: attention, cross-attention, feed-forward
  bool scores;         ///< the matrices of attention scores too
};

/// Frozen float32 layers on the CPU keep their inputs, queries, keys, values, what attention gives (4 + 2 maps) and the
/// feed-forward's hidden map (8); the rest is computed again.
constexpr Kept kFrozen{.resnet_in = 1, .resnet_out = 1, .transformer = 3, .layer = 17, .scores = false};
/// Plain autograd keeps the input of every operation.
constexpr Kept kPlain{.resnet_in = 3, .resnet_out = 3, .transformer = 3, .layer = 30, .scores = true};

int64_t elements(at::IntArrayRef shape) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

/// Walks a UNet's layers and adds up what they keep.
class Activations {
 public:
  Activations(const TrainingShape& shape, Kept kept) : shape_(shape), config_(shape.unet), kept_(kept) {}

  /// Elements of one row.
  double count() {
    height_ = static_cast<double>(shape_.height);
    width_ = static_cast<double>(shape_.width);
    down();
    resnet({config_.levels.back().channels, config_.levels.back().channels});
    transformer(config_.levels.back());
    resnet({config_.levels.back().channels, config_.levels.back().channels});
    up();
    return kept_in_all_ + most_of_a_block_;
  }

  /// Elements of the largest map that a layer makes.
  double largest() const { return largest_; }

 private:
  double pixels() const { return height_ * width_; }

  void down() {
    int64_t channels = config_.levels.front().channels;
    for (size_t i = 0; i < config_.levels.size(); ++i) {
      const UNetLevel& level = config_.levels[i];
      for (int64_t j = 0; j < config_.layers_per_block; ++j) {
        resnet({channels, level.channels});
        if (level.cross_attention) transformer(level);
        channels = level.channels;
      }
      if (i + 1 < config_.levels.size()) scale(0.5);
    }
  }

  void up() {
    int64_t channels = config_.levels.back().channels;
    for (size_t i = config_.levels.size(); i-- > 0;) {
      const UNetLevel& level = config_.levels[i];
      const int64_t above = config_.levels[i > 0 ? i - 1 : 0].channels;
      for (int64_t j = 0; j <= config_.layers_per_block; ++j) {
        resnet({channels + (j == config_.layers_per_block ? above : level.channels), level.channels});
        if (level.cross_attention) transformer(level);
        channels = level.channels;
      }
      if (i > 0) scale(2);
    }
  }

  void scale(double factor) {
    height_ *= factor;
    width_ *= factor;
  }

  void resnet(Channels channels) {
    const double in = static_cast<double>(channels.in) * pixels(), out = static_cast<double>(channels.out) * pixels();
    largest_ = std::max({largest_, in, out});
    block(in, kept_.resnet_in * in + kept_.resnet_out * out);
  }

  void transformer(const UNetLevel& level) {
    const double map = static_cast<double>(level.channels) * pixels();
    constexpr double hidden_maps = 8;  // the feed-forward's first projection
    largest_ = std::max(largest_, hidden_maps * map);
    double layer = kept_.layer * map;
    if (kept_.scores)
      layer += static_cast<double>(level.heads) * pixels() * (pixels() + static_cast<double>(shape_.tokens));
    block(map, kept_.transformer * map + static_cast<double>(level.transformer_layers) * layer);
  }

  /// With recomputation a block keeps its input, and one block at a time all of it.
  void block(double input, double all) {
    if (!shape_.gradient_checkpointing) {
      kept_in_all_ += all;
      return;
    }
    kept_in_all_ += input;
    most_of_a_block_ = std::max(most_of_a_block_, all);
  }

  const TrainingShape& shape_;
  const UNetConfig& config_;
  Kept kept_;
  double height_ = 0, width_ = 0;
  double kept_in_all_ = 0, most_of_a_block_ = 0, largest_ = 0;
};

/// Elements of all weights of the models, and how many of them a training of this shape trains.
struct Counts {
  int64_t base = 0;
  int64_t trained = 0;
};

int64_t lora_elements(const std::vector<LoraTarget>& targets, const TrainingShape& shape) {
  int64_t count = 0;
  for (const LoraTarget& target : targets) {
    const bool kernel = target.weight_shape.size() == 4 && target.weight_shape[2] > 1;
    const int64_t rank = kernel ? shape.conv_rank : is_lora_target(target.name) ? shape.rank : shape.conv_rank;
    const int64_t out = target.weight_shape[0];
    count += rank * (elements(target.weight_shape) / out + out);
  }
  return count;
}

/// Models of no memory, asked for what they consist of.
Counts count_weights(const TrainingShape& shape) {
  Counts counts;
  const auto add = [&](const WeightReader& reader) {
    for (const auto& [name, sides] : reader.asked()) counts.base += elements(sides);
  };
  WeightReader unet_weights = WeightReader::blank();
  const auto unet = UNet::create(shape.unet, unet_weights);
  if (!unet) return counts;
  add(unet_weights);
  const int64_t of_unet = counts.base;
  counts.trained = shape.trained == TrainedWeights::lora  ? lora_elements((*unet)->adaptable_layers(), shape)
                   : shape.trained == TrainedWeights::all ? of_unet
                                                          : 0;
  for (const TextConfig& config : shape.text) {
    WeightReader text_weights = WeightReader::blank();
    const auto text = ClipTextModel::create(config, text_weights);
    if (!text) continue;
    add(text_weights);
    if (!shape.train_text) continue;
    if (shape.trained == TrainedWeights::lora) counts.trained += lora_elements((*text)->adaptable_layers(), shape);
  }
  if (shape.trained == TrainedWeights::all && shape.train_text) counts.trained = counts.base;
  return counts;
}

uint64_t trained_bytes(const TrainingShape& shape, int64_t trained) {
  constexpr int64_t value = 1, gradient = 1, moments = 2;
  const int64_t copies =
      value + gradient + (shape.optimizer == OptimizerKind::adamw ? moments : 0) + (shape.averages ? 1 : 0);
  int64_t bytes = trained * copies * kFloatBytes;
  // Values are float32; whole weights have a rounded copy besides in less than that, and gradients come in it.
  if (shape.trained == TrainedWeights::all && shape.dtype != at::kFloat)
    bytes += 2 * trained * static_cast<int64_t>(at::elementSize(shape.dtype));
  return static_cast<uint64_t>(bytes);
}

}  // namespace

TrainingMemory training_memory(const TrainingShape& shape) {
  const Counts counts = count_weights(shape);
  const auto bytes = static_cast<double>(at::elementSize(shape.dtype));
  const int64_t frozen = counts.base - (shape.trained == TrainedWeights::all ? counts.trained : 0);
  const bool own_layers = shape.device == at::kCPU && shape.dtype == at::kFloat && shape.trained != TrainedWeights::all;
  Kept kept = own_layers ? kFrozen : kPlain;
  if (shape.device != at::kCPU) kept.scores = false;
  Activations activations(shape, kept);
  const double row = activations.count() * bytes * static_cast<double>(shape.rows);
  TrainingMemory memory;
  memory.weights = static_cast<uint64_t>(static_cast<double>(frozen) * bytes);
  memory.trained = trained_bytes(shape, counts.trained);
  memory.activations = static_cast<uint64_t>(row);
  constexpr double maps_at_work = 3;  // a layer's result, its gradient, and the gradient of what it was made from
  memory.workspace =
      static_cast<uint64_t>(maps_at_work * activations.largest() * bytes * static_cast<double>(shape.rows));
  return memory;
}

}  // namespace atelier::diffusion
