// The published configurations of the three architectures, small models of the same make, and the names and shapes that
// a single file of such a model holds.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "diffusion/clip_text.h"
#include "diffusion/initial_weights.h"
#include "diffusion/original_detect.h"
#include "diffusion/original_layout.h"
#include "diffusion/unet.h"
#include "diffusion/vae.h"
#include "golden_unet.h"

namespace atelier::diffusion::test {

inline DetectedModel parsed_model(Architecture architecture, const char* unet, const char* vae,
                                  const std::vector<const char*>& texts) {
  DetectedModel model;
  model.architecture = architecture;
  model.unet = must(parse_unet_config(nlohmann::json::parse(unet), "unet"));
  model.vae = must(parse_vae_config(nlohmann::json::parse(vae), "vae"));
  for (const char* text : texts) model.text.push_back(must(parse_text_config(nlohmann::json::parse(text), "text")));
  return model;
}

inline constexpr const char* kVaeJson = R"({"_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
  "layers_per_block": 2, "latent_channels": 4, "norm_num_groups": 32, "scaling_factor": 0.18215})";

/// stable-diffusion-v1-5
inline DetectedModel published_sd1() {
  return parsed_model(Architecture::sd1,
                      R"({"_class_name": "UNet2DConditionModel", "attention_head_dim": 8, "cross_attention_dim": 768,
                          "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "sample_size": 64})",
                      kVaeJson, {R"({"architectures": ["CLIPTextModel"], "eos_token_id": 2, "hidden_act": "quick_gelu",
                           "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12,
                           "num_hidden_layers": 12, "projection_dim": 768, "vocab_size": 49408})"});
}

/// stabilityai/stable-diffusion-2-1
inline DetectedModel published_sd2() {
  return parsed_model(
      Architecture::sd2,
      R"({"_class_name": "UNet2DConditionModel", "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024,
          "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "sample_size": 96,
          "use_linear_projection": true, "upcast_attention": true})",
      kVaeJson, {R"({"architectures": ["CLIPTextModel"], "eos_token_id": 2, "hidden_act": "gelu", "hidden_size": 1024,
           "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 23, "projection_dim": 1024,
           "vocab_size": 49408})"});
}

/// stabilityai/stable-diffusion-xl-base-1.0
inline DetectedModel published_sdxl() {
  DetectedModel model = parsed_model(
      Architecture::sdxl,
      R"({"_class_name": "UNet2DConditionModel", "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
          "attention_head_dim": [5, 10, 20], "block_out_channels": [320, 640, 1280], "cross_attention_dim": 2048,
          "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
          "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "layers_per_block": 2,
          "projection_class_embeddings_input_dim": 2816, "sample_size": 128, "transformer_layers_per_block": [1, 2, 10],
          "use_linear_projection": true})",
      kVaeJson,
      {R"({"architectures": ["CLIPTextModel"], "eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 768,
           "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "projection_dim": 768,
           "vocab_size": 49408})",
       R"({"architectures": ["CLIPTextModelWithProjection"], "eos_token_id": 2, "hidden_act": "gelu",
           "hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 20, "num_hidden_layers": 32,
           "projection_dim": 1280, "vocab_size": 49408})"});
  model.vae.scaling_factor = 0.13025;
  return model;
}

/// As published, but for widths and depths: heads of 64 channels, or 8 in SD 1.x, so that the weights tell all.
inline DetectedModel small(DetectedModel model) {
  for (UNetLevel& level : model.unet.levels) {
    level.channels = level.channels > 640 ? 128 : 64;
    if (model.architecture != Architecture::sd1) level.heads = level.channels / 64;
    level.transformer_layers = std::min<int64_t>(level.transformer_layers, 2);
  }
  model.vae.block_out_channels = {32, 32, 64, 64};
  int64_t context = 0;
  for (TextConfig& text : model.text) {
    text.hidden_size = text.projection_dim = text.hidden_size > 1024 ? 128 : 64;
    text.intermediate_size = 4 * text.hidden_size;
    text.heads = text.hidden_size / 64;
    text.layers = 2;
    context += text.hidden_size;
  }
  model.unet.cross_attention_dim = context;
  if (model.unet.text_time) {
    model.unet.text_time = TextTimeConfig{.size_waves = 16, .input = model.text.back().projection_dim + 6 * 16};
  }
  return model;
}

/// What a part's model asks for, by name.
template <class Model, class Config>
std::map<std::string, std::vector<int64_t>> shapes_asked(const Config& config) {
  WeightReader blank = WeightReader::blank();
  must(Model::create(config, blank));
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& [name, shape] : blank.asked()) {
    const bool text = std::is_same_v<Model, ClipTextModel> && !name.starts_with("text_");
    shapes[text ? "text_model." + name : name] = shape;
  }
  return shapes;
}

inline void add_entries(TensorEntries& entries, const std::map<std::string, std::vector<int64_t>>& shapes,
                        const std::vector<WeightPlace>& places, const std::string& prefix) {
  for (const WeightPlace& place : places) {
    auto shape = shapes.at(place.name);
    if (is_packed(place.form)) shape[0] *= 3;
    if (place.form == StoredForm::transposed) std::swap(shape[0], shape[1]);
    if (place.form == StoredForm::pointwise) shape.insert(shape.end(), {1, 1});
    entries[prefix + place.key] = {.dtype = "F16", .shape = shape};
  }
}

/// Names and shapes of a single file of the model.
inline TensorEntries original_entries(const DetectedModel& model) {
  TensorEntries entries;
  const auto prefix = [&](ModelPart part) { return original_prefix(part, model.architecture); };
  add_entries(entries, shapes_asked<UNet>(model.unet), original_unet(model.unet), prefix(ModelPart::unet));
  add_entries(entries, shapes_asked<Vae>(model.vae), original_vae(model.vae), prefix(ModelPart::vae));
  TextConfig text = model.text[0];
  if (model.architecture == Architecture::sd2) ++text.layers;  // the block that is never used
  add_entries(entries, shapes_asked<ClipTextModel>(text),
              model.architecture == Architecture::sd2 ? original_open_clip(text) : original_clip(text),
              prefix(ModelPart::text_encoder));
  if (model.text.size() == 2) {
    add_entries(entries, shapes_asked<ClipTextModel>(model.text[1]), original_open_clip(model.text[1]),
                prefix(ModelPart::text_encoder_2));
  }
  return entries;
}

/// Random float16 weights for such a file.
inline WeightMap original_weights(const DetectedModel& model, uint64_t seed) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& [key, entry] : original_entries(model)) shapes[key] = entry.shape;
  WeightMap weights = initial_weights(shapes, seed);
  for (auto& [key, tensor] : weights) tensor = tensor.to(at::kHalf);
  return weights;
}

}  // namespace atelier::diffusion::test
