#include "diffusion/original_layout.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>

namespace atelier::diffusion {
namespace {

/// Collects places of modules: NAME.weight and NAME.bias under KEY.weight and KEY.bias.
class Places {
 public:
  void weight(const std::string& name, const std::string& key, StoredForm form = StoredForm::same) {
    places_.push_back({name + ".weight", key + ".weight", form});
  }
  void module(const std::string& name, const std::string& key) {
    weight(name, key);
    places_.push_back({name + ".bias", key + ".bias"});
  }
  void exactly(WeightPlace place) { places_.push_back(std::move(place)); }
  std::vector<WeightPlace> take() { return std::move(places_); }

 private:
  std::vector<WeightPlace> places_;
};

struct Widths {
  int64_t in;
  int64_t out;
};

void unet_resnet(Places& places, const std::string& name, const std::string& key, Widths widths) {
  places.module(name + ".norm1", key + ".in_layers.0");
  places.module(name + ".conv1", key + ".in_layers.2");
  places.module(name + ".time_emb_proj", key + ".emb_layers.1");
  places.module(name + ".norm2", key + ".out_layers.0");
  places.module(name + ".conv2", key + ".out_layers.3");
  if (widths.in != widths.out) places.module(name + ".conv_shortcut", key + ".skip_connection");
}

/// Inside a transformer the two layouts agree.
void transformer(Places& places, const std::string& name, const std::string& key, int64_t layers) {
  for (const char* module : {".norm", ".proj_in", ".proj_out"}) places.module(name + module, key + module);
  for (int64_t i = 0; i < layers; ++i) {
    const std::string block = fmt::format(".transformer_blocks.{}", i);
    for (const char* module :
         {".norm1", ".norm2", ".norm3", ".attn1.to_out.0", ".attn2.to_out.0", ".ff.net.0.proj", ".ff.net.2"}) {
      places.module(name + block + module, key + block + module);
    }
    for (const char* module :
         {".attn1.to_q", ".attn1.to_k", ".attn1.to_v", ".attn2.to_q", ".attn2.to_k", ".attn2.to_v"}) {
      places.weight(name + block + module, key + block + module);
    }
  }
}

void unet_down(Places& places, const UNetConfig& config) {
  int64_t at = 1;  // the block of input_blocks, whose first is conv_in
  int64_t channels = config.levels.front().channels;
  for (std::size_t i = 0; i < config.levels.size(); ++i) {
    const UNetLevel& level = config.levels[i];
    for (int64_t j = 0; j < config.layers_per_block; ++j, ++at) {
      unet_resnet(places, fmt::format("down_blocks.{}.resnets.{}", i, j), fmt::format("input_blocks.{}.0", at),
                  {channels, level.channels});
      channels = level.channels;
      if (level.cross_attention) {
        transformer(places, fmt::format("down_blocks.{}.attentions.{}", i, j), fmt::format("input_blocks.{}.1", at),
                    level.transformer_layers);
      }
    }
    if (i + 1 < config.levels.size()) {
      places.module(fmt::format("down_blocks.{}.downsamplers.0.conv", i), fmt::format("input_blocks.{}.0.op", at));
      ++at;
    }
  }
}

void unet_up(Places& places, const UNetConfig& config) {
  const std::size_t count = config.levels.size();
  int64_t at = 0, channels = config.levels.back().channels;
  for (std::size_t i = 0; i < count; ++i) {
    const UNetLevel& level = config.levels[count - 1 - i];
    const int64_t above = config.levels[i + 1 < count ? count - 2 - i : 0].channels;
    for (int64_t j = 0; j <= config.layers_per_block; ++j, ++at) {
      const bool last = j == config.layers_per_block;
      unet_resnet(places, fmt::format("up_blocks.{}.resnets.{}", i, j), fmt::format("output_blocks.{}.0", at),
                  {channels + (last ? above : level.channels), level.channels});
      channels = level.channels;
      if (level.cross_attention) {
        transformer(places, fmt::format("up_blocks.{}.attentions.{}", i, j), fmt::format("output_blocks.{}.1", at),
                    level.transformer_layers);
      }
      if (last && i + 1 < count) {
        places.module(fmt::format("up_blocks.{}.upsamplers.0.conv", i),
                      fmt::format("output_blocks.{}.{}.conv", at, level.cross_attention ? 2 : 1));
      }
    }
  }
}

void vae_resnet(Places& places, const std::string& name, const std::string& key, Widths widths) {
  for (const char* module : {".norm1", ".conv1", ".norm2", ".conv2"}) places.module(name + module, key + module);
  if (widths.in != widths.out) places.module(name + ".conv_shortcut", key + ".nin_shortcut");
}

void vae_middle(Places& places, const std::string& half, const VaeConfig& config) {
  const int64_t channels = config.block_out_channels.back();
  vae_resnet(places, half + ".mid_block.resnets.0", half + ".mid.block_1", {channels, channels});
  vae_resnet(places, half + ".mid_block.resnets.1", half + ".mid.block_2", {channels, channels});
  if (!config.mid_block_attention) return;
  const std::string name = half + ".mid_block.attentions.0", key = half + ".mid.attn_1";
  places.module(name + ".group_norm", key + ".norm");
  // Files that tools wrote from diffusers' folders keep one or the other of its names for the projections.
  struct Projection {
    const char *name, *original, *old;
  };
  for (const auto& [now, original, old] :
       {Projection{".to_q", ".q", ".query"}, Projection{".to_k", ".k", ".key"}, Projection{".to_v", ".v", ".value"},
        Projection{".to_out.0", ".proj_out", ".proj_attn"}}) {
    for (const auto& [end, form] :
         {std::pair{".weight", StoredForm::pointwise}, std::pair{".bias", StoredForm::same}}) {
      places.exactly({name + now + end, key + original + end, form, {key + now + end, key + old + end}});
    }
  }
}

void vae_half(Places& places, const std::string& half, const VaeConfig& config) {
  const auto& widths = config.block_out_channels;
  const std::size_t count = widths.size();
  const bool encodes = half == "encoder";
  places.module(half + ".conv_in", half + ".conv_in");
  for (std::size_t i = 0; i < count; ++i) {
    // The decoder's levels are numbered from the picture's side in the original layout, from the latents' in diffusers.
    const std::size_t level = encodes ? i : count - 1 - i;
    const int64_t before = widths[i == 0 ? level : (encodes ? level - 1 : level + 1)];
    const std::string name = fmt::format("{}.{}_blocks.{}", half, encodes ? "down" : "up", i);
    const std::string key = fmt::format("{}.{}.{}", half, encodes ? "down" : "up", level);
    const int64_t layers = config.layers_per_block + (encodes ? 0 : 1);
    for (int64_t j = 0; j < layers; ++j) {
      vae_resnet(places, fmt::format("{}.resnets.{}", name, j), fmt::format("{}.block.{}", key, j),
                 {j == 0 ? before : widths[level], widths[level]});
    }
    if (i + 1 < count) {
      places.module(name + (encodes ? ".downsamplers.0.conv" : ".upsamplers.0.conv"),
                    key + (encodes ? ".downsample.conv" : ".upsample.conv"));
    }
  }
  vae_middle(places, half, config);
  places.module(half + ".conv_norm_out", half + ".norm_out");
  places.module(half + ".conv_out", half + ".conv_out");
}

const std::string kTextModel = "text_model.";

}  // namespace

std::string folder_name(ModelPart part) {
  switch (part) {
    case ModelPart::unet:
      return "unet";
    case ModelPart::vae:
      return "vae";
    case ModelPart::text_encoder:
      return "text_encoder";
    case ModelPart::text_encoder_2:
      break;
  }
  return "text_encoder_2";
}

std::vector<WeightPlace> original_unet(const UNetConfig& config) {
  Places places;
  places.module("conv_in", "input_blocks.0.0");
  places.module("time_embedding.linear_1", "time_embed.0");
  places.module("time_embedding.linear_2", "time_embed.2");
  if (config.text_time) {
    places.module("add_embedding.linear_1", "label_emb.0.0");
    places.module("add_embedding.linear_2", "label_emb.0.2");
  }
  unet_down(places, config);
  const int64_t channels = config.levels.back().channels;
  unet_resnet(places, "mid_block.resnets.0", "middle_block.0", {channels, channels});
  transformer(places, "mid_block.attentions.0", "middle_block.1", config.levels.back().transformer_layers);
  unet_resnet(places, "mid_block.resnets.1", "middle_block.2", {channels, channels});
  unet_up(places, config);
  places.module("conv_norm_out", "out.0");
  places.module("conv_out", "out.2");
  return places.take();
}

std::vector<WeightPlace> original_vae(const VaeConfig& config) {
  Places places;
  vae_half(places, "encoder", config);
  vae_half(places, "decoder", config);
  if (config.quant_conv) places.module("quant_conv", "quant_conv");
  if (config.post_quant_conv) places.module("post_quant_conv", "post_quant_conv");
  return places.take();
}

std::vector<WeightPlace> original_clip(const TextConfig& config) {
  Places places;
  const auto both = [&](const std::string& module) { places.module(kTextModel + module, kTextModel + module); };
  places.weight(kTextModel + "embeddings.token_embedding", kTextModel + "embeddings.token_embedding");
  places.weight(kTextModel + "embeddings.position_embedding", kTextModel + "embeddings.position_embedding");
  for (int64_t i = 0; i < config.layers; ++i) {
    for (const char* module : {"layer_norm1", "layer_norm2", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                               "self_attn.out_proj", "mlp.fc1", "mlp.fc2"}) {
      both(fmt::format("encoder.layers.{}.{}", i, module));
    }
  }
  both("final_layer_norm");
  auto all = places.take();
  // transformers 5 writes CLIPTextModel without the prefix, and so did the first versions that SD 1.x files came from.
  for (WeightPlace& place : all) place.others = {place.key.substr(kTextModel.size())};
  return all;
}

std::vector<WeightPlace> original_open_clip(const TextConfig& config) {
  Places places;
  places.weight(kTextModel + "embeddings.token_embedding", "token_embedding");
  places.exactly({kTextModel + "embeddings.position_embedding.weight", "positional_embedding"});
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string name = fmt::format("{}encoder.layers.{}.", kTextModel, i);
    const std::string key = fmt::format("transformer.resblocks.{}.", i);
    for (const auto& [ours, theirs] : {std::pair{"layer_norm1", "ln_1"}, std::pair{"layer_norm2", "ln_2"},
                                       std::pair{"self_attn.out_proj", "attn.out_proj"},
                                       std::pair{"mlp.fc1", "mlp.c_fc"}, std::pair{"mlp.fc2", "mlp.c_proj"}}) {
      places.module(name + ours, key + theirs);
    }
    for (const auto& [ours, form] :
         {std::pair{"self_attn.q_proj", StoredForm::packed_q}, std::pair{"self_attn.k_proj", StoredForm::packed_k},
          std::pair{"self_attn.v_proj", StoredForm::packed_v}}) {
      places.exactly({name + ours + ".weight", key + "attn.in_proj_weight", form});
      places.exactly({name + ours + ".bias", key + "attn.in_proj_bias", form});
    }
  }
  places.module(kTextModel + "final_layer_norm", "ln_final");
  if (config.with_projection) places.exactly({"text_projection.weight", "text_projection", StoredForm::transposed});
  return places.take();
}

std::vector<WeightPlace> in_folder(std::vector<WeightPlace> original) {
  for (WeightPlace& place : original) {
    place.key = place.name;
    if (place.form != StoredForm::pointwise) place.form = StoredForm::same;  // old folders have that one too
    place.others.clear();
    if (place.name.starts_with(kTextModel)) place.others = {place.name.substr(kTextModel.size())};
    for (const auto& [now, old] : {std::pair{".to_q.", ".query."}, std::pair{".to_k.", ".key."},
                                   std::pair{".to_v.", ".value."}, std::pair{".to_out.0.", ".proj_attn."}}) {
      const auto at = place.name.find(std::string(".mid_block.attentions.0") + now);
      if (at == std::string::npos) continue;
      place.others = {std::string(place.name).replace(place.name.find(now, at), std::string(now).size(), old)};
    }
  }
  return original;
}

std::string original_prefix(ModelPart part, Architecture architecture) {
  const bool sdxl = architecture == Architecture::sdxl;
  switch (part) {
    case ModelPart::unet:
      return "model.diffusion_model.";
    case ModelPart::vae:
      return "first_stage_model.";
    case ModelPart::text_encoder:
      if (sdxl) return "conditioner.embedders.0.transformer.";
      return architecture == Architecture::sd2 ? "cond_stage_model.model." : "cond_stage_model.transformer.";
    case ModelPart::text_encoder_2:
      break;
  }
  return "conditioner.embedders.1.model.";
}

std::string averaged_key(std::string_view key) {
  std::string joined(key);
  std::erase(joined, '.');
  return joined;
}

at::Tensor as_named(const at::Tensor& stored, const WeightPlace& place) {
  const auto third = [&](int64_t i) { return stored.narrow(0, i * (stored.size(0) / 3), stored.size(0) / 3); };
  switch (place.form) {
    case StoredForm::same:
      return stored;
    case StoredForm::pointwise:
      return stored.flatten(1);
    case StoredForm::transposed:
      return stored.t();
    case StoredForm::packed_q:
      return third(0);
    case StoredForm::packed_k:
      return third(1);
    case StoredForm::packed_v:
      break;
  }
  return third(2);
}

at::Tensor as_stored(const at::Tensor& weight, const WeightPlace& place) {
  if (place.form == StoredForm::pointwise) return weight.unsqueeze(-1).unsqueeze(-1);
  return place.form == StoredForm::transposed ? weight.t() : weight;
}

}  // namespace atelier::diffusion
