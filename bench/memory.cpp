// The memory that a training takes, against what training_memory() says beforehand.
//   memory ARCH MODE [NAME=VALUE …]
// ARCH is sd1, sd2 or sdxl as published; MODE lora, words (textual inversion) or full. Names, with their defaults:
//   side=64 rows=1        of the latents, of a pass
//   dtype=float32         or bfloat16
//   checkpointing=no      gradient checkpointing
//   text=no               the text encoders run in the training, and learn in lora and full; words always has them
//   targets=A,B           chosen weights or layers only
//   optimizer=adamw       or adafactor
//   passes=1 ema=no       of a step; averages
//   width=320             channels of the first level, the others in proportion; a multiple of 64
//   steps=2 threads=2     no steps: the estimate alone
//   tokenizer=DIR         of the text encoders; any
// Weights are all alike, each model's own memory. Prints estimate and peak, in bytes: what the process held beyond its
// start, files aside.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "diffusion/lora_targets.h"
#include "diffusion/trainer.h"
#include "diffusion/training_memory.h"

namespace {
using namespace atelier::diffusion;

template <class T>
T or_exit(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "memory: %s\n", result.error().message.c_str());
  std::exit(1);
}

/// The process's own memory now, without mapped files.
int64_t own_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::atoll(line.c_str() + 8) * 1024;
  return 0;
}

/// The most that own_bytes() gives from its making on, looked at every two milliseconds.
class Peak {
 public:
  Peak()
      : watcher_([this] {
          while (!done_) {
            most_ = std::max(most_, own_bytes());
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
          }
        }) {}
  ~Peak() { stop(); }
  int64_t stop() {
    done_ = true;
    if (watcher_.joinable()) watcher_.join();
    return most_;
  }

 private:
  std::atomic<bool> done_ = false;
  int64_t most_ = 0;
  std::thread watcher_;
};

using Options = std::map<std::string, std::string>;

UNetConfig published_unet(const std::string& arch) {
  UNetConfig config;
  if (arch == "sd1") return config;
  config.linear_projection = true;
  if (arch == "sd2") {
    config.levels = {{320, true, 5, 1}, {640, true, 10, 1}, {1280, true, 20, 1}, {1280, false, 20, 1}};
    config.cross_attention_dim = 1024;
    config.upcast_attention = true;
    return config;
  }
  config.levels = {{320, false, 5, 1}, {640, true, 10, 2}, {1280, true, 20, 10}};
  config.cross_attention_dim = 2048;
  config.text_time = TextTimeConfig{};
  return config;
}

std::vector<TextConfig> published_text(const std::string& arch) {
  const TextConfig clip_l;
  if (arch == "sd1") return {clip_l};
  TextConfig open_clip{.hidden_size = 1024, .intermediate_size = 4096, .layers = 23, .heads = 16};
  open_clip.activation = Activation::gelu;
  if (arch == "sd2") return {open_clip};
  open_clip.hidden_size = open_clip.projection_dim = 1280;
  open_clip.intermediate_size = 5120;
  open_clip.layers = 32;
  open_clip.heads = 20;
  open_clip.with_projection = true;
  return {clip_l, open_clip};
}

/// Heads keep their size, but in SD 1, where their number stays.
void scale(UNetConfig& config, const std::string& arch, int64_t width) {
  for (UNetLevel& level : config.levels) {
    level.channels = level.channels * width / 320;
    if (arch != "sd1") level.heads = level.channels / 64;
  }
}

TrainingShape shape_of(const std::string& arch, const std::string& mode, Options& given) {
  TrainingShape shape;
  shape.unet = published_unet(arch);
  scale(shape.unet, arch, std::stol(given["width"]));
  shape.trained = mode == "full" ? TrainedWeights::all : mode == "words" ? TrainedWeights::words : TrainedWeights::lora;
  shape.train_text = given["text"] == "yes" && mode != "words";
  if (given["text"] == "yes" || mode == "words") shape.text = published_text(arch);
  std::stringstream targets(given["targets"]);
  for (std::string target; std::getline(targets, target, ',');) shape.targets.push_back(target);
  shape.height = shape.width = std::stol(given["side"]);
  shape.rows = std::stol(given["rows"]);
  shape.several_passes = std::stol(given["passes"]) > 1;
  shape.dtype = shape.text_dtype = given["dtype"] == "bfloat16" ? at::kBFloat16 : at::kFloat;
  shape.gradient_checkpointing = given["checkpointing"] == "yes";
  shape.averages = given["ema"] == "yes";
  if (given["optimizer"] == "adafactor") shape.optimizer = OptimizerKind::adafactor;
  return shape;
}

/// Weights that take no memory until a model takes them: one number each, seen as many.
template <class Model, class Config>
WeightMap alike(const Config& config) {
  WeightReader shapes = WeightReader::blank();
  or_exit(Model::create(config, shapes));
  WeightMap weights;
  for (const auto& [name, shape] : shapes.asked()) weights[name] = at::full({}, 1e-3).expand(shape);
  return weights;
}

class Training {
 public:
  Training(const std::string& arch, const TrainingShape& shape, const std::string& tokenizer)
      : shape_(shape),
        architecture_(arch == "sd1"   ? Architecture::sd1
                      : arch == "sd2" ? Architecture::sd2
                                      : Architecture::sdxl) {
    if (!shape.text.empty())
      tokenizer_ = std::make_shared<const ClipTokenizer>(or_exit(ClipTokenizer::open(tokenizer)));
  }

  Trainer begin() const {
    const auto schedule = or_exit(NoiseSchedule::create(SchedulerConfig{}));
    TrainingOptions options;
    options.rate.steps = 1000;
    options.optimizer = shape_.optimizer;
    options.gradient_checkpointing = shape_.gradient_checkpointing;
    options.ema_decay = shape_.averages ? 0.99 : 0;
    if (shape_.trained == TrainedWeights::all) return or_exit(Trainer::full(weights(), schedule, options));
    WeightReader reader(alike<UNet>(shape_.unet), "weights", {at::kCPU, shape_.dtype});
    TrainingBase base{.unet = or_exit(UNet::create(shape_.unet, reader))};
    std::vector<LoraTarget> layers = base.unet->adaptable_layers();
    if (!shape_.text.empty()) {
      base.text = text();
      for (const LoraTarget& layer : base.text->adaptable_layers()) layers.push_back(layer);
    }
    if (shape_.trained == TrainedWeights::words)
      return or_exit(Trainer::textual_inversion(base, schedule, {rows()}, options));
    const LoraShape ranks{.rank = shape_.rank};
    const Lora start = initial_lora(or_exit(select_lora_targets(layers, ranks, shape_.targets)), ranks,
                                    [](std::string_view, std::span<float> values) { std::ranges::fill(values, 0.5F); });
    return or_exit(Trainer::lora(base, schedule, {.loras = {start}}, options));
  }

  TrainingBatch batch() const {
    const int64_t rows = shape_.rows;
    TrainingBatch batch;
    batch.latents = at::randn({rows, 4, shape_.height, shape_.width});
    batch.noise = at::randn({rows, 4, shape_.height, shape_.width});
    batch.timesteps = at::randint(1000, {rows}, at::kLong);
    batch.masks = at::rand({rows, 1, shape_.height, shape_.width});
    if (shape_.unet.text_time) batch.time_ids = at::full({rows, TextTimeConfig::kSizes}, 1024.0);
    if (!shape_.text.empty()) {
      for (const TextConfig& config : shape_.text)  // one word, the trained one where one is trained
        batch.text_ids.per_encoder.push_back(
            at::full({rows, 1, shape_.tokens}, config.vocab_size - (shape_.train_text ? 1 : 0), at::kLong));
      return batch;
    }
    batch.text.context = at::randn({rows, shape_.tokens, shape_.unet.cross_attention_dim});
    if (shape_.unet.text_time) batch.text.pooled = at::randn({rows, shape_.unet.text_time->pooled()});
    return batch;
  }

 private:
  WeightsStart weights() const {
    WeightsStart start{.unet_config = shape_.unet, .unet = alike<UNet>(shape_.unet), .architecture = architecture_};
    for (const TextConfig& config : shape_.text)
      start.text.push_back({tokenizer_, config, alike<ClipTextModel>(config)});
    start.targets = shape_.targets;
    start.options.dtype = shape_.dtype;
    return start;
  }

  std::shared_ptr<const TextEncoders> text() const {
    std::vector<TextEncoder> encoders;
    for (size_t i = 0; i < shape_.text.size(); ++i) {
      WeightReader reader(alike<ClipTextModel>(shape_.text[i]), "weights", {at::kCPU, shape_.text_dtype});
      encoders.push_back({tokenizer_, or_exit(ClipTextModel::create(shape_.text[i], reader, text_encoder_prefix(i)))});
    }
    return std::make_shared<const TextEncoders>(or_exit(TextEncoders::create(architecture_, std::move(encoders))));
  }

  std::vector<at::Tensor> rows() const {
    std::vector<at::Tensor> rows;
    for (const TextConfig& config : shape_.text) rows.push_back(at::rand({2, config.hidden_size}));
    return rows;
  }

  TrainingShape shape_;
  Architecture architecture_;
  std::shared_ptr<const ClipTokenizer> tokenizer_;
};

}  // namespace

int main(int argc, char** argv) {
  Options given{{"side", "64"},    {"rows", "1"},   {"dtype", "float32"}, {"checkpointing", "no"}, {"text", "no"},
                {"targets", ""},   {"passes", "1"}, {"ema", "no"},        {"optimizer", "adamw"},  {"width", "320"},
                {"tokenizer", ""}, {"steps", "2"},  {"threads", "2"}};
  for (int i = 3; i < argc; ++i) {
    const std::string option = argv[i];
    const size_t equals = option.find('=');
    if (equals != std::string::npos && given.contains(option.substr(0, equals)))
      given[option.substr(0, equals)] = option.substr(equals + 1);
    else
      argc = 0;
  }
  if (argc < 3) {
    std::fprintf(stderr, "usage: memory sd1|sd2|sdxl lora|words|full [NAME=VALUE …]\n");
    return 2;
  }
  at::set_num_threads(std::stoi(given["threads"]));
  const TrainingShape shape = shape_of(argv[1], argv[2], given);
  const TrainingMemory estimate = training_memory(shape);
  const int64_t before = own_bytes();
  Peak peak;
  if (std::stol(given["steps"]) > 0) {
    const Training training(argv[1], shape, given["tokenizer"]);
    Trainer trainer = training.begin();
    for (int64_t i = 0; i < std::stol(given["steps"]); ++i)
      or_exit(trainer.step(std::vector<TrainingBatch>(std::stoul(given["passes"]), training.batch())));
  }
  std::puts(
      fmt::format(R"({{"estimate": {}, "peak": {}, "weights": {}, "trained": {}, "activations": {}, "workspace": {}}})",
                  estimate.total(), peak.stop() - before, estimate.weights, estimate.trained, estimate.activations,
                  estimate.workspace)
          .c_str());
}
