#include "diffusion/model_init.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "diffusion/base_model.h"
#include "diffusion/clip_text.h"
#include "diffusion/config_file.h"
#include "diffusion/config_json.h"
#include "diffusion/initial_weights.h"
#include "diffusion/json_reader.h"
#include "diffusion/safetensors.h"
#include "diffusion/text_encoders.h"
#include "diffusion/training_start.h"
#include "diffusion/unet.h"
#include "diffusion/vae.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kNormGroups = 32;
constexpr int64_t kMaxWidth = 320;  // SD 1.5's own
constexpr int64_t kSamplePx = 128;  // what the files say that the model was trained at
constexpr const char* kDtype = "float16";
constexpr const char* kClipPadding = "<|endoftext|>";
constexpr const char* kOpenClipPadding = "!";  // id 0

/// What a folder is made of.
struct Parts {
  Architecture architecture;
  UNetConfig unet;
  VaeConfig vae;
  std::vector<TextConfig> texts;
  std::vector<std::string> paddings;  // of each text encoder's tokenizer; empty: what its files say
  SchedulerConfig scheduler;
  int64_t sample_px = kSamplePx;
  void (*settle_vae)(WeightMap& weights) = nullptr;
  void (*settle_unet)(WeightMap& weights) = nullptr;
  void (*settle_text)(WeightMap& weights, const TextConfig& config) = nullptr;
};

/// Makes the latents what the rest relies on in a trained autoencoder. They vary by about 1 once scaled: a random
/// encoder's vary by about 0.18 at every width, and 0.18 * 32 * 0.18215 is that. And the posterior is narrow; a random
/// one would bury the picture in its own noise.
void settle_latents(WeightMap& vae) {
  constexpr double kGain = 32;     // a power of two: exact
  constexpr double kLogvar = -12;  // a standard deviation of 0.0025
  at::Tensor& weight = vae.at("quant_conv.weight");
  weight.narrow(0, 0, weight.size(0) / 2).mul_(kGain);
  set_log_variance(vae, kLogvar);
  vae.at("post_quant_conv.weight").div_(kGain);
}

TextConfig text_config(int64_t width, Activation activation) {
  return {.hidden_size = width,
          .intermediate_size = 4 * width,
          .layers = 3,
          .heads = 4,
          .activation = activation,
          .projection_dim = width};
}

Parts sd1_parts(int64_t w) {
  Parts parts{.architecture = Architecture::sd1,
              .unet = {.levels = {{w, true, 8, 1}, {w, true, 8, 1}, {2 * w, true, 8, 1}, {2 * w, false, 8, 1}},
                       .cross_attention_dim = w,
                       .sample_size = kSamplePx / 8},
              .vae = {.block_out_channels = {w, w, 2 * w, 2 * w}},
              .texts = {text_config(w, Activation::quick_gelu)},
              .paddings = {kClipPadding},
              .scheduler = {},
              .settle_vae = settle_latents};
  return parts;
}

Parts sd2_parts(int64_t w) {
  constexpr int64_t kHeadChannels = 16;
  Parts parts = sd1_parts(w);
  parts.architecture = Architecture::sd2;
  for (UNetLevel& level : parts.unet.levels) level.heads = level.channels / kHeadChannels;
  parts.unet.linear_projection = true;
  parts.texts = {text_config(w, Activation::gelu)};
  parts.paddings = {kOpenClipPadding};
  parts.scheduler.prediction_type = PredictionType::v_prediction;
  return parts;
}

Parts sdxl_parts(int64_t w) {
  constexpr int64_t kLegacyEos = 2;  // as SDXL's files say: the largest id of a text
  Parts parts = sd1_parts(w);
  parts.architecture = Architecture::sdxl;
  parts.unet.levels = {{w, false, 2, 1}, {2 * w, true, 4, 1}, {2 * w, true, 4, 2}};
  parts.unet.linear_projection = true;
  parts.unet.cross_attention_dim = w + 2 * w;
  parts.unet.text_time = TextTimeConfig{.size_waves = w / 4, .input = 2 * w + TextTimeConfig::kSizes * (w / 4)};
  parts.vae.scaling_factor = 0.13025;
  parts.texts.push_back(text_config(2 * w, Activation::gelu));
  parts.texts[1].with_projection = true;
  for (TextConfig& text : parts.texts) text.eos_id = kLegacyEos;
  parts.paddings.emplace_back(kOpenClipPadding);
  return parts;
}

using MakeParts = Parts (*)(int64_t width);

const std::map<std::string, MakeParts>& makers() {
  static const std::map<std::string, MakeParts> all{{"sd1", sd1_parts}, {"sd2", sd2_parts}, {"sdxl", sdxl_parts}};
  return all;
}

/// The weights that a model of this configuration asks for, drawn under the names that `named` gives them.
template <class Model, class Config>
Result<WeightMap> draw_weights(const Config& config, uint64_t seed,
                               const std::function<std::string(const std::string&)>& named) {
  WeightReader blank = WeightReader::blank();
  if (auto model = Model::create(config, blank); !model) return tl::unexpected(model.error());
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& [name, shape] : blank.asked()) shapes[named(name)] = shape;
  return initial_weights(shapes, seed);
}

std::string as_asked(const std::string& name) { return name; }

/// As published files name them. The projection stands outside of text_model.
std::string published_text_name(const std::string& name) {
  return name.starts_with("text_projection") ? name : "text_model." + name;
}

/// The second encoder's weights are drawn under names of their own: by the first's they would be the same numbers.
Result<WeightMap> draw_text(const TextConfig& config, std::size_t encoder, uint64_t seed) {
  if (encoder == 0) return draw_weights<ClipTextModel>(config, seed, published_text_name);
  const std::string own = std::string(text_encoder_prefix(encoder));
  auto drawn = draw_weights<ClipTextModel>(config, seed,
                                           [&](const std::string& name) { return own + published_text_name(name); });
  if (!drawn) return drawn;
  WeightMap weights;
  for (const auto& [name, weight] : *drawn) weights[name.substr(own.size())] = weight;
  return weights;
}

Result<void> write_text(const fs::path& path, const std::string& text) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return fail(fmt::format("{}: cannot be written", path.string()));
  return {};
}

Result<void> write_part(const fs::path& folder, const Json& config, const std::string& weights_name,
                        Result<WeightMap> weights) {
  if (!weights) return tl::unexpected(weights.error());
  if (auto ok = write_text(folder / "config.json", config.dump(2) + "\n"); !ok) return ok;
  for (auto& [name, tensor] : *weights) tensor = tensor.to(at::kHalf);
  return write_safetensors(folder / weights_name, *weights, {{"format", "pt"}});
}

Result<void> write_tokenizer(const fs::path& from, const fs::path& to, const std::string& padding) {
  std::error_code error;
  fs::create_directories(to, error);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    if (!error) fs::copy_file(from / name, to / name, error);
    if (error) return fail(fmt::format("{}: cannot be copied: {}", (from / name).string(), error.message()));
  }
  if (padding.empty() || padding == kClipPadding) return {};
  auto config = read_json_object(from / "tokenizer_config.json");
  if (!config) return tl::unexpected(config.error());
  (*config)["pad_token"] = padding;
  return write_text(to / "tokenizer_config.json", config->dump(2) + "\n");
}

Result<void> check_folders(const fs::path& folder, const fs::path& tokenizer_folder) {
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    if (!fs::is_regular_file(tokenizer_folder / name)) {
      return fail(fmt::format("{}: is missing; the tokenizer's files are needed", (tokenizer_folder / name).string()));
    }
  }
  if (fs::exists(folder) && !fs::is_directory(folder)) return fail(fmt::format("{}: is a file", folder.string()));
  if (fs::exists(folder) && !fs::is_empty(folder)) {
    return fail(fmt::format("{}: is there already and not empty", folder.string()));
  }
  return {};
}

Result<void> check_options(const InitOptions& options, const fs::path& folder, const fs::path& tokenizer_folder) {
  if (!makers().contains(options.arch)) {
    return fail(fmt::format("arch '{}' is not known; known: sd1, sd2, sdxl", options.arch));
  }
  if (options.width < kNormGroups || options.width > kMaxWidth || options.width % kNormGroups != 0) {
    return fail(fmt::format("width is {}, expected a multiple of {} up to {}", options.width, kNormGroups, kMaxWidth));
  }
  return check_folders(folder, tokenizer_folder);
}

std::string numbered(const std::string& name, std::size_t encoder) {
  return encoder == 0 ? name : fmt::format("{}_{}", name, encoder + 1);
}

Result<void> write_text_part(const fs::path& folder, const Parts& parts, std::size_t encoder, uint64_t seed,
                             const fs::path& tokenizer_folder) {
  const TextConfig& config = parts.texts[encoder];
  auto weights = draw_text(config, encoder, seed);
  if (weights && parts.settle_text) parts.settle_text(*weights, config);
  auto ok = write_part(folder / numbered("text_encoder", encoder), text_json(config, kDtype), "model.safetensors",
                       std::move(weights));
  if (ok) ok = write_tokenizer(tokenizer_folder, folder / numbered("tokenizer", encoder), parts.paddings[encoder]);
  return ok;
}

/// @param tokenizers  the folder of each text encoder's tokenizer
Result<void> write_parts(const Parts& parts, uint64_t seed, const fs::path& folder,
                         const std::vector<fs::path>& tokenizers) {
  auto vae_weights = draw_weights<Vae>(parts.vae, seed, as_asked);
  if (vae_weights) parts.settle_vae(*vae_weights);
  auto unet_weights = draw_weights<UNet>(parts.unet, seed, as_asked);
  if (unet_weights && parts.settle_unet) parts.settle_unet(*unet_weights);
  auto ok = write_part(folder / "unet", unet_json(parts.unet), "diffusion_pytorch_model.safetensors",
                       std::move(unet_weights));
  if (ok) {
    ok = write_part(folder / "vae", vae_json(parts.vae, parts.sample_px), "diffusion_pytorch_model.safetensors",
                    std::move(vae_weights));
  }
  for (std::size_t i = 0; ok && i < parts.texts.size(); ++i) {
    ok = write_text_part(folder, parts, i, seed, tokenizers[i]);
  }
  if (ok) ok = write_text(folder / "scheduler/scheduler_config.json", scheduler_json(parts.scheduler).dump(2) + "\n");
  // Last, so that a folder with a model_index.json is a whole model.
  if (ok) ok = write_text(folder / "model_index.json", model_index_json(parts.architecture).dump(2) + "\n");
  return ok;
}

Result<Parts> read_parts(const fs::path& configs) {
  Parts parts{};
  const bool two = fs::exists(configs / "text_encoder_2");
  parts.texts.resize(two ? 2 : 1);
  parts.paddings.resize(parts.texts.size());
  auto ok = read_config(configs / "unet/config.json", parse_unet_config, parts.unet);
  if (ok) ok = read_config(configs / "vae/config.json", parse_vae_config, parts.vae);
  for (std::size_t i = 0; ok && i < parts.texts.size(); ++i)
    ok = read_config(configs / numbered("text_encoder", i) / "config.json", parse_text_config, parts.texts[i]);
  if (ok) ok = read_config(configs / "scheduler/scheduler_config.json", parse_scheduler_config, parts.scheduler);
  if (!ok) return tl::unexpected(ok.error());
  parts.architecture = architecture_of(two, parts.unet);
  parts.sample_px = parts.unet.sample_size * parts.vae.downscale();
  parts.settle_vae = start_by_averaging;
  parts.settle_unet = start_at_zero;
  parts.settle_text = start_by_neighbours;
  return parts;
}

}  // namespace

Result<void> init_model(const InitOptions& options, const fs::path& folder, const fs::path& tokenizer_folder) {
  if (auto ok = check_options(options, folder, tokenizer_folder); !ok) return ok;
  const Parts parts = makers().at(options.arch)(options.width);
  return write_parts(parts, options.seed, folder, {parts.texts.size(), tokenizer_folder});
}

Result<void> init_model_of(const fs::path& configs, uint64_t seed, const fs::path& folder) {
  const auto parts = read_parts(configs);
  if (!parts) return tl::unexpected(parts.error());
  std::vector<fs::path> tokenizers;
  for (std::size_t i = 0; i < parts->texts.size(); ++i) {
    tokenizers.push_back(configs / numbered("tokenizer", i));
    if (auto ok = check_folders(folder, tokenizers.back()); !ok) return ok;
  }
  if (auto ok = write_parts(*parts, seed, folder, tokenizers); !ok) return ok;
  // What does not fit together is told by who opens it; nothing that cannot be used is left.
  if (auto opened = BaseModel::open(folder); !opened) return tl::unexpected(opened.error());
  return {};
}

}  // namespace atelier::diffusion
