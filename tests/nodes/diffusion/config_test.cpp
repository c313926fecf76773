#include "diffusion/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "golden_unet.h"

namespace atelier::diffusion {
namespace {

using nlohmann::json;

const std::filesystem::path kTiny = std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny/model";

/// The error of a golden configuration with some keys set; null removes a key.
template <class Config>
std::string error_with(Result<Config> (*parse)(const json&, const std::string&), const std::string& file,
                       const json& changes) {
  auto config = read_json(kTiny / file);
  for (const auto& [key, value] : changes.items()) config[key] = value;
  const auto parsed = parse(config, "config.json");
  return parsed ? "" : parsed.error().message;
}
std::string unet_error(const json& changes) { return error_with(parse_unet_config, "unet/config.json", changes); }
std::string vae_error(const json& changes) { return error_with(parse_vae_config, "vae/config.json", changes); }
std::string text_error(const json& changes) {
  return error_with(parse_text_config, "text_encoder/config.json", changes);
}

TEST(UNetConfig, ReadsAFullConfigurationOfDiffusers) {
  const auto config = must(parse_unet_config(read_json(kTiny / "unet/config.json"), "config.json"));
  ASSERT_EQ(config.levels.size(), 3u);
  EXPECT_EQ(config.levels[1].channels, 32);
  EXPECT_TRUE(config.levels[1].cross_attention);
  EXPECT_FALSE(config.levels[2].cross_attention);
  EXPECT_EQ(config.levels[0].heads, 4);
  EXPECT_EQ(config.cross_attention_dim, 16);
  EXPECT_EQ(config.norm_groups, 8);
}

TEST(UNetConfig, TakesHeadsForEachBlockAsSd2HasThem) {
  auto file = read_json(kTiny / "unet/config.json");
  file["attention_head_dim"] = {2, 4, 8};
  file["use_linear_projection"] = true;
  const auto config = must(parse_unet_config(file, "config.json"));
  EXPECT_EQ(config.levels[2].heads, 8);
  EXPECT_TRUE(config.linear_projection);
}

TEST(UNetConfig, RefusesWhatItDoesNotDoByTheNameOfTheKey) {
  EXPECT_EQ(unet_error({{"addition_embed_type", "text"}}),
            "config.json: 'addition_embed_type' is \"text\", which is not supported; supported: \"text_time\"");
  EXPECT_EQ(unet_error({{"dropout", 0.1}}), "config.json: 'dropout' is not 0, which is not supported");
  EXPECT_EQ(unet_error({{"time_cond_proj_dim", 256}}),
            "config.json: 'time_cond_proj_dim' is 256, which is not supported");
  EXPECT_EQ(unet_error({{"_class_name", "Transformer2DModel"}}),
            "config.json: '_class_name' is \"Transformer2DModel\", which is not supported; supported: "
            "\"UNet2DConditionModel\"");
  EXPECT_EQ(unet_error({{"act_fn", "gelu"}}),
            "config.json: 'act_fn' is \"gelu\", which is not supported; supported: \"silu\", \"swish\"");
  EXPECT_EQ(unet_error({{"down_block_types", {"CrossAttnDownBlock2D", "AttnDownBlock2D", "DownBlock2D"}}}),
            "config.json: 'down_block_types' has AttnDownBlock2D, which is not supported; supported: "
            "CrossAttnDownBlock2D, DownBlock2D");
  EXPECT_EQ(unet_error({{"down_block_types", {"CrossAttnDownBlock2D", "DownBlock2D", "DownBlock2D"}}}),
            "config.json: 'up_block_types' does not mirror 'down_block_types'");
  EXPECT_EQ(unet_error({{"hyper_connections", 3}}),
            "config.json: 'hyper_connections' is 3, an option that is not supported");
  EXPECT_EQ(unet_error({{"some_day", nullptr}, {"some_flag", false}, {"_name_or_path", "x"}}), "");
}

TEST(UNetConfig, RefusesValuesThatCannotBe) {
  EXPECT_EQ(unet_error({{"in_channels", "four"}}),
            "config.json: 'in_channels' is \"four\", expected a size of at least 1");
  EXPECT_EQ(unet_error({{"layers_per_block", 0}}),
            "config.json: 'layers_per_block' is 0, expected a size of at least 1");
  EXPECT_EQ(unet_error({{"block_out_channels", json::array()}}),
            "config.json: 'block_out_channels' is [], expected a list of sizes");
  EXPECT_EQ(unet_error({{"block_out_channels", {16, 32}}}),
            "config.json: 'block_out_channels' has 2 values, 'down_block_types' 3 and 'up_block_types' 3; expected as "
            "many of each");
  EXPECT_EQ(unet_error({{"block_out_channels", {16, 32, 36}}}),
            "config.json: 'block_out_channels' has 36, which norm_num_groups 8 does not divide");
  EXPECT_EQ(unet_error({{"attention_head_dim", {4, 4}}}),
            "config.json: 'attention_head_dim' has 2 values, expected one for each of the 3 blocks");
  EXPECT_EQ(unet_error({{"attention_head_dim", 5}}),
            "config.json: 'attention_head_dim' has 5, which does not divide the 16 channels of its block");
  EXPECT_EQ(unet_error({{"norm_eps", "small"}}), "config.json: 'norm_eps' is \"small\", expected a number");
  EXPECT_EQ(unet_error({{"use_linear_projection", 1}}),
            "config.json: 'use_linear_projection' is 1, expected true or false");
  EXPECT_EQ(parse_unet_config(json::array(), "x").error().message, "x: expected a JSON object");
}

TEST(VaeConfig, RefusesWhatItDoesNotDoByTheNameOfTheKey) {
  EXPECT_EQ(must(parse_vae_config(read_json(kTiny / "vae/config.json"), "")).downscale(), 4);
  EXPECT_EQ(vae_error({{"_class_name", "AutoencoderTiny"}}),
            "config.json: '_class_name' is \"AutoencoderTiny\", which is not supported; supported: \"AutoencoderKL\"");
  EXPECT_EQ(vae_error({{"shift_factor", 0.1}}), "config.json: 'shift_factor' is 0.1, which is not supported");
  EXPECT_EQ(vae_error({{"up_block_types", {"UpDecoderBlock2D", "AttnUpDecoderBlock2D", "UpDecoderBlock2D"}}}),
            "config.json: 'up_block_types' has AttnUpDecoderBlock2D, which is not supported; supported: "
            "UpDecoderBlock2D");
  EXPECT_EQ(vae_error({{"down_block_types", {"DownEncoderBlock2D"}}}),
            "config.json: 'down_block_types' has 1 values, 'block_out_channels' 3; expected as many");
}

TEST(TextConfig, RefusesWhatItDoesNotDoByTheNameOfTheKey) {
  EXPECT_EQ(text_error({{"hidden_act", "relu"}}),
            "config.json: 'hidden_act' is \"relu\", which is not supported; supported: \"gelu\", \"quick_gelu\"");
  EXPECT_EQ(text_error({{"model_type", "t5"}}),
            "config.json: 'model_type' is \"t5\", which is not supported; supported: \"clip_text_model\", \"clip\"");
  EXPECT_EQ(text_error({{"num_attention_heads", 3}}),
            "config.json: 'num_attention_heads' is 3, which does not divide 'hidden_size' 16");
  EXPECT_EQ(text_error({{"return_dict", true}}), "") << "transformers writes keys that only other models read";
}

}  // namespace
}  // namespace atelier::diffusion
