#include "diffusion/training_memory_pass.h"

#include <fmt/format.h>
#include <torch/version.h>

#include <algorithm>
#include <initializer_list>

#include "diffusion/layers.h"
#include "diffusion/text_encoders.h"

namespace atelier::diffusion {
namespace {

constexpr int64_t kFloatBytes = 4;
constexpr int64_t kFeedForwardMaps = 4;  // of a transformer's layer: its inner width
/// While the feed-forward's gradients are computed: of the residual and the output 1 map each, its input again 4, the
/// gradient of that 4, the gradient of the gate's two halves 8.
constexpr double kFeedForwardWork = 18;
#if TORCH_VERSION_MAJOR >= 2
constexpr bool kFusedOnGpu = true;
#else
constexpr bool kFusedOnGpu = false;
#endif

enum class Before { nothing, layer_norm, geglu };

class Pass {
 public:
  Pass(const TrainingShape& shape, const TrainedLayers& trained)
      : shape_(shape), trained_(trained), bytes_(static_cast<double>(at::elementSize(shape.dtype))) {}

  std::vector<PassStage> stages() {
    text();
    unet();
    return std::move(stages_);
  }

 private:
  // ---- the bookkeeping

  PassStage& stage() { return stages_.back(); }
  void keep(double bytes) { stage().kept += bytes; }
  void needs(double bytes) { stage().work = std::max(stage().work, bytes); }

  TrainedLayer layer(const std::string& name) const {
    const auto found = trained_.find(name);
    return found == trained_.end() ? TrainedLayer{} : found->second;
  }

  int64_t trained_under(const std::string& prefix) const {
    int64_t count = 0;
    for (auto at = trained_.lower_bound(prefix); at != trained_.end() && at->first.starts_with(prefix); ++at)
      count += at->second.elements;
    return count;
  }

  /// Begins a stage that is computed again where that is asked for.
  void block(const std::string& name, double input) {
    stages_.push_back({.input = input, .trained = trained_under(name + "."), .again = shape_.gradient_checkpointing});
  }
  /// Begins one that is not.
  void between(const std::string& name) { stages_.push_back({.trained = trained_under(name)}); }

  double tokens() const { return static_cast<double>(shape_.rows * height_ * width_); }
  double context_tokens() const { return static_cast<double>(shape_.rows * shape_.tokens); }
  double maps(int64_t channels) const { return static_cast<double>(channels) * tokens() * bytes_; }

  // ---- layers

  bool on_cpu() const { return shape_.device == at::kCPU; }
  /// Whether the layer has a function of its own that keeps little (layers.h).
  bool own(const TrainedLayer& it) const { return on_cpu() && shape_.dtype == at::kFloat && !it.learns; }

  /// Factors enter in the layer's dtype, and the second one with the scale in it, as copies that are kept.
  void factors(const TrainedLayer& it, double columns) {
    if (it.rank == 0) return;
    keep(static_cast<double>(it.rank) * columns * bytes_);
    keep(static_cast<double>(it.elements) * bytes_ / (bytes_ == kFloatBytes ? 2 : 1));
  }

  void norm(const std::string& name, int64_t channels, bool silu) {
    const TrainedLayer it = layer(name);
    flows_ = flows_ || it.learns;
    if (!flows_) return;
    keep(maps(channels));
    if (silu && !own(it)) keep(maps(channels));
  }

  /// A convolution of maps that nothing else keeps.
  void conv(const std::string& name, Channels channels, double columns, int64_t kernel) {
    const TrainedLayer it = layer(name);
    const bool trained = it.learns || it.rank > 0;
    if (own(it) ? it.rank > 0 : flows_ || trained) keep(maps(channels.in));
    factors(it, columns);
    flows_ = flows_ || trained;
    if (own(it) || !on_cpu()) return;
    // oneDNN brings weights into a layout of its own, and gradients of weights out of it.
    const double weight = static_cast<double>(channels.in * channels.out * kernel * kernel) * bytes_;
    needs((it.learns ? 3 : 1) * weight + 2 * maps(std::max(channels.in, channels.out)));
  }

  /// Layers [in -> …] on the same tokens, after what stands before them (projections.h).
  void project(std::initializer_list<std::string> names, Before before, int64_t in, double columns) {
    bool trained = false;
    for (const std::string& name : names) trained = trained || layer(name).learns || layer(name).rank > 0;
    const double z = static_cast<double>(in) * columns * bytes_;
    if (own(layer(*names.begin()))) {
      if (flows_ || trained) keep(before == Before::geglu ? 2 * z : z);
    } else {
      if (before == Before::layer_norm && flows_) keep(z);
      if (before == Before::geglu && flows_) keep(3 * z);  // both halves, and the gate's GELU
      if (trained) keep(z);
    }
    for (const std::string& name : names) factors(layer(name), columns);
    flows_ = flows_ || trained;
  }

  /// Queries, keys, values, and what comes out or the matrix of scores (attention.h).
  void attention(const UNetLevel& level, double keys, double keys_of_row) {
    if (!flows_) return;
    const double queries = tokens();
    const auto channels = static_cast<double>(level.channels), heads = static_cast<double>(level.heads);
    if ((on_cpu() && shape_.dtype == at::kFloat) || (!on_cpu() && kFusedOnGpu)) {
      keep(2 * (queries + keys) * channels * bytes_ + heads * queries * kFloatBytes);
      return;
    }
    const bool wide = shape_.unet.upcast_attention && shape_.dtype != at::kFloat;
    const double score = wide ? kFloatBytes : bytes_;
    const double scores = heads * queries * keys_of_row;
    keep((queries + keys) * channels * score + keys * channels * bytes_);
    keep(scores * (wide ? score + bytes_ : score));
    needs(scores * 2 * score);  // their gradients, before the softmax and after it
  }

  // ---- blocks

  void resnet(const std::string& name, Channels channels) {
    block(name, maps(channels.in));
    const bool flowed = flows_;
    norm(name + ".norm1", channels.in, /*silu=*/true);
    conv(name + ".conv1", channels, tokens(), 3);
    const TrainedLayer time = layer(name + ".time_emb_proj");
    flows_ = flows_ || time.learns || time.rank > 0;
    norm(name + ".norm2", channels.out, /*silu=*/true);
    conv(name + ".conv2", {channels.out, channels.out}, tokens(), 3);
    if (flowed) needs(3 * maps(channels.in) + maps(channels.out));  // gradients through the block and around it
  }

  void transformer_layer(const std::string& name, const UNetLevel& level) {
    const int64_t width = level.channels;
    const auto sum = [&](const std::string& part) { return name + part; };
    project({sum(".attn1.to_q"), sum(".attn1.to_k"), sum(".attn1.to_v")}, Before::layer_norm, width, tokens());
    attention(level, tokens(), static_cast<double>(height_ * width_));
    project({sum(".attn1.to_out.0")}, Before::nothing, width, tokens());
    project({sum(".attn2.to_q")}, Before::layer_norm, width, tokens());
    for (const char* part : {".attn2.to_k", ".attn2.to_v"}) {  // the context itself is kept once for all layers
      const TrainedLayer it = layer(sum(part));
      factors(it, context_tokens());
      flows_ = flows_ || context_flows_ || it.learns || it.rank > 0;
    }
    attention(level, context_tokens(), static_cast<double>(shape_.tokens));
    project({sum(".attn2.to_out.0")}, Before::nothing, width, tokens());
    project({sum(".ff.net.0.proj")}, Before::layer_norm, width, tokens());
    project({sum(".ff.net.2")}, Before::geglu, kFeedForwardMaps * width, tokens());
  }

  void transformer(const std::string& name, const UNetLevel& level) {
    block(name, maps(level.channels));
    norm(name + ".norm", level.channels, /*silu=*/false);
    project({name + ".proj_in"}, Before::nothing, level.channels, tokens());
    for (int64_t i = 0; i < level.transformer_layers; ++i)
      transformer_layer(fmt::format("{}.transformer_blocks.{}", name, i), level);
    project({name + ".proj_out"}, Before::nothing, level.channels, tokens());
    if (flows_) needs(kFeedForwardWork * maps(level.channels));
  }

  // ---- the UNet

  void unet() {
    height_ = shape_.height;
    width_ = shape_.width;
    const UNetConfig& config = shape_.unet;
    const std::vector<UNetLevel>& levels = config.levels;
    for (const char* first : {"conv_in", "time_embedding", "add_embedding"}) {
      between(first);
      flows_ = flows_ || stage().trained > 0;
    }
    for (size_t i = 0; i < levels.size(); ++i) down(i);
    resnet("mid_block.resnets.0", {levels.back().channels, levels.back().channels});
    transformer("mid_block.attentions.0", levels.back());
    resnet("mid_block.resnets.1", {levels.back().channels, levels.back().channels});
    for (size_t i = levels.size(); i-- > 0;) up(i);
    const int64_t channels = levels.front().channels;
    between("conv_norm_out");
    norm("conv_norm_out", channels, /*silu=*/false);
    keep(maps(channels));  // SiLU's input
    between("conv_out");
    conv("conv_out", {channels, config.out_channels}, tokens(), 3);
    needs(2 * maps(channels));
  }

  void down(size_t i) {
    const UNetLevel& level = shape_.unet.levels[i];
    int64_t channels = shape_.unet.levels[i > 0 ? i - 1 : 0].channels;
    const std::string name = fmt::format("down_blocks.{}", i);
    for (int64_t j = 0; j < shape_.unet.layers_per_block; ++j) {
      resnet(fmt::format("{}.resnets.{}", name, j), {channels, level.channels});
      if (level.cross_attention) transformer(fmt::format("{}.attentions.{}", name, j), level);
      channels = level.channels;
    }
    sizes_.push_back({height_, width_});
    if (i + 1 == shape_.unet.levels.size()) return;
    between(name + ".downsamplers");
    const int64_t height = (height_ + 1) / 2, width = (width_ + 1) / 2;
    conv(name + ".downsamplers.0.conv", {channels, channels}, static_cast<double>(shape_.rows * height * width), 3);
    height_ = height;
    width_ = width;
  }

  /// The way up at the resolution of level i.
  void up(size_t i) {
    const std::vector<UNetLevel>& levels = shape_.unet.levels;
    const UNetLevel& level = levels[i];
    int64_t channels = levels[std::min(i + 1, levels.size() - 1)].channels;
    const std::string name = fmt::format("up_blocks.{}", levels.size() - 1 - i);
    for (int64_t j = 0; j <= shape_.unet.layers_per_block; ++j) {
      const int64_t skip = j == shape_.unet.layers_per_block ? levels[i > 0 ? i - 1 : 0].channels : level.channels;
      resnet(fmt::format("{}.resnets.{}", name, j), {channels + skip, level.channels});
      if (level.cross_attention) transformer(fmt::format("{}.attentions.{}", name, j), level);
      channels = level.channels;
    }
    if (i == 0) return;
    between(name + ".upsamplers");
    height_ = sizes_[i - 1].first;
    width_ = sizes_[i - 1].second;
    conv(name + ".upsamplers.0.conv", {channels, channels}, tokens(), 3);
  }

  // ---- the text encoders

  void text() {
    between("text_encoder");
    const bool learns = stage().trained > 0;
    context_flows_ = !shape_.text.empty() && (learns || shape_.trained == TrainedWeights::words);
    if (!context_flows_) return;
    for (const TextConfig& config : shape_.text) text_encoder(config);
  }

  /// Kept by a layer: in maps of its width both norms' inputs and outputs, queries, keys, values and what attention
  /// gives; in maps of the inner width what the activation and the second layer take.
  void text_encoder(const TextConfig& config) {
    constexpr double kMaps = 8, kInnerMaps = 3;
    const auto bytes = static_cast<double>(at::elementSize(shape_.text_dtype));
    const double scores = static_cast<double>(config.heads * shape_.tokens) * context_tokens();
    const double layer = context_tokens() * (kMaps * static_cast<double>(config.hidden_size) +
                                             kInnerMaps * static_cast<double>(config.intermediate_size));
    keep(static_cast<double>(config.layers) * (layer + scores) * bytes);
  }

  const TrainingShape& shape_;
  const TrainedLayers& trained_;
  double bytes_;
  std::vector<PassStage> stages_;
  int64_t height_ = 0, width_ = 0;
  std::vector<std::pair<int64_t, int64_t>> sizes_;  // of the levels
  bool flows_ = false;                              // whether the map here has a gradient
  bool context_flows_ = false;                      // whether the text's states have one
};

}  // namespace

std::vector<PassStage> stages_of_pass(const TrainingShape& shape, const TrainedLayers& trained) {
  return Pass(shape, trained).stages();
}

}  // namespace atelier::diffusion
