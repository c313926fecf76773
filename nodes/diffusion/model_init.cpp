#include "diffusion/model_init.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/clip_text.h"
#include "diffusion/config.h"
#include "diffusion/initial_weights.h"
#include "diffusion/safetensors.h"
#include "diffusion/tokenizer.h"
#include "diffusion/unet.h"
#include "diffusion/vae.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kNormGroups = 32;
constexpr int64_t kMaxWidth = 320;  // SD 1.5's own
constexpr const char* kDiffusersVersion = "0.42.1";

Json unet_config(int64_t width) {
  return {{"_class_name", "UNet2DConditionModel"},
          {"_diffusers_version", kDiffusersVersion},
          {"sample_size", 16},
          {"in_channels", 4},
          {"out_channels", 4},
          {"block_out_channels", {width, width, 2 * width, 2 * width}},
          {"down_block_types", {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"}},
          {"up_block_types", {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"}},
          {"layers_per_block", 2},
          {"cross_attention_dim", width},
          {"attention_head_dim", 8},
          {"norm_num_groups", kNormGroups}};
}

Json vae_config(int64_t width) {
  return {{"_class_name", "AutoencoderKL"},
          {"_diffusers_version", kDiffusersVersion},
          {"sample_size", 128},
          {"in_channels", 3},
          {"out_channels", 3},
          {"latent_channels", 4},
          {"block_out_channels", {width, width, 2 * width, 2 * width}},
          {"down_block_types", std::vector<std::string>(4, "DownEncoderBlock2D")},
          {"up_block_types", std::vector<std::string>(4, "UpDecoderBlock2D")},
          {"layers_per_block", 2},
          {"norm_num_groups", kNormGroups},
          {"scaling_factor", 0.18215}};
}

Json text_config(int64_t width) {
  return {{"architectures", Json::array({"CLIPTextModel"})},
          {"model_type", "clip_text_model"},
          {"vocab_size", 49408},
          {"hidden_size", width},
          {"intermediate_size", 4 * width},
          {"num_hidden_layers", 3},
          {"num_attention_heads", 4},
          {"max_position_embeddings", 77},
          {"hidden_act", "quick_gelu"},
          {"layer_norm_eps", 1e-5},
          {"projection_dim", width},
          {"bos_token_id", 49406},
          {"eos_token_id", 49407},
          {"pad_token_id", 1},
          {"torch_dtype", "float16"}};
}

Json scheduler_config() {
  return {{"_class_name", "DDIMScheduler"},
          {"_diffusers_version", kDiffusersVersion},
          {"num_train_timesteps", 1000},
          {"beta_start", 0.00085},
          {"beta_end", 0.012},
          {"beta_schedule", "scaled_linear"},
          {"prediction_type", "epsilon"},
          {"clip_sample", false},
          {"set_alpha_to_one", false},
          {"steps_offset", 1},
          {"timestep_spacing", "leading"}};
}

Json model_index() {
  return {{"_class_name", "StableDiffusionPipeline"},       {"_diffusers_version", kDiffusersVersion},
          {"scheduler", {"diffusers", "DDIMScheduler"}},    {"unet", {"diffusers", "UNet2DConditionModel"}},
          {"vae", {"diffusers", "AutoencoderKL"}},          {"text_encoder", {"transformers", "CLIPTextModel"}},
          {"tokenizer", {"transformers", "CLIPTokenizer"}}, {"safety_checker", {nullptr, nullptr}},
          {"feature_extractor", {nullptr, nullptr}},        {"requires_safety_checker", false}};
}

/// The weights that a model of this configuration asks for, drawn. `prefix` stands before each name in the file.
template <class Model, class Config>
Result<WeightMap> draw_weights(Result<Config> (*parse)(const Json&, const std::string&), const Json& json,
                               const std::string& prefix, uint64_t seed) {
  auto config = parse(json, "config.json");
  if (!config) return tl::unexpected(config.error());
  WeightReader blank = WeightReader::blank();
  if (auto model = Model::create(*config, blank); !model) return tl::unexpected(model.error());
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& [name, shape] : blank.asked()) shapes[prefix + name] = shape;
  return initial_weights(shapes, seed);
}

/// Makes the latents what the rest relies on in a trained autoencoder. They vary by about 1 once scaled: a random
/// encoder's vary by about 0.18 at every width, and 0.18 * 32 * 0.18215 is that. And the posterior is narrow; a random
/// one would bury the picture in its own noise.
void settle_latents(WeightMap& vae) {
  constexpr double kGain = 32;     // a power of two: exact
  constexpr double kLogvar = -12;  // a standard deviation of 0.0025
  at::Tensor &weight = vae.at("quant_conv.weight"), &bias = vae.at("quant_conv.bias");
  const int64_t channels = bias.size(0) / 2;
  weight.narrow(0, 0, channels).mul_(kGain);
  weight.narrow(0, channels, channels).zero_();
  bias.narrow(0, channels, channels).fill_(kLogvar);
  vae.at("post_quant_conv.weight").div_(kGain);
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

Result<void> copy_tokenizer(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_directories(to, error);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    if (!error) fs::copy_file(from / name, to / name, error);
    if (error) return fail(fmt::format("{}: cannot be copied: {}", (from / name).string(), error.message()));
  }
  return {};
}

Result<void> check_options(const InitOptions& options, const fs::path& folder, const fs::path& tokenizer_folder) {
  if (options.arch != "sd1") return fail(fmt::format("arch '{}' is not known; known: sd1", options.arch));
  if (options.width < kNormGroups || options.width > kMaxWidth || options.width % kNormGroups != 0) {
    return fail(fmt::format("width is {}, expected a multiple of {} up to {}", options.width, kNormGroups, kMaxWidth));
  }
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

}  // namespace

Result<void> init_model(const InitOptions& options, const fs::path& folder, const fs::path& tokenizer_folder) {
  if (auto ok = check_options(options, folder, tokenizer_folder); !ok) return ok;
  const Json unet = unet_config(options.width), vae = vae_config(options.width), text = text_config(options.width);
  auto vae_weights = draw_weights<Vae>(parse_vae_config, vae, "", options.seed);
  if (vae_weights) settle_latents(*vae_weights);
  auto ok = write_part(folder / "unet", unet, "diffusion_pytorch_model.safetensors",
                       draw_weights<UNet>(parse_unet_config, unet, "", options.seed));
  if (ok) ok = write_part(folder / "vae", vae, "diffusion_pytorch_model.safetensors", std::move(vae_weights));
  if (ok) {
    ok = write_part(folder / "text_encoder", text, "model.safetensors",
                    draw_weights<ClipTextModel>(parse_text_config, text, "text_model.", options.seed));
  }
  if (ok) ok = write_text(folder / "scheduler/scheduler_config.json", scheduler_config().dump(2) + "\n");
  if (ok) ok = copy_tokenizer(tokenizer_folder, folder / "tokenizer");
  // Last, so that a folder with a model_index.json is a whole model.
  if (ok) ok = write_text(folder / "model_index.json", model_index().dump(2) + "\n");
  return ok;
}

}  // namespace atelier::diffusion
