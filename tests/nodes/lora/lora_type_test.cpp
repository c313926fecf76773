#include "lora/lora_type.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "diffusion/safetensors.h"
#include "model/loras.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"

namespace atelier {
namespace {

constexpr const char* kQuery = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";

LoraSet some_lora() {
  LoraSet lora;
  lora.layers[kQuery] = {normal_tensor({4, 32}, "A"), normal_tensor({32, 4}, "B"), 2};
  lora.facts["base_model"] = "sd_v1";
  return lora;
}

class LoraFileTest : public testing::Test {
 protected:
  std::unique_ptr<Files> files = make_posix_files();
  TemporaryFolder folder;
  std::shared_ptr<const PortType> type = make_lora_type(*files);
};

TEST_F(LoraFileTest, IsKohyasWithDeterministicMetadataAndNoFolderNames) {
  const auto path = folder.path() / "new.safetensors";
  ASSERT_TRUE(type->write(some_lora().to_artifact(), path, "anna/anna_identity.safetensors"));
  const auto file = diffusion::Safetensors::open(path);
  ASSERT_TRUE(file) << file.error().message;
  const std::string key = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q";
  EXPECT_TRUE(file->entries().contains(key + ".lora_down.weight"));
  EXPECT_TRUE(file->entries().contains(key + ".lora_up.weight"));
  EXPECT_TRUE(file->entries().contains(key + ".alpha"));
  EXPECT_EQ(file->metadata().at("modelspec.title"), "anna_identity");
  EXPECT_EQ(file->metadata().at("ss_base_model_version"), "sd_v1");
  EXPECT_FALSE(file->metadata().contains("modelspec.date"));
  for (const auto& [name, value] : file->metadata()) EXPECT_EQ(value.find("anna/"), std::string::npos) << name;

  const auto again = folder.path() / "again.safetensors";
  ASSERT_TRUE(type->write(some_lora().to_artifact(), again, "anna/anna_identity.safetensors"));
  EXPECT_EQ(*digest_of_file(path), *digest_of_file(again));
}

TEST_F(LoraFileTest, IsReadBackAsAnInput) {
  const auto path = folder.path() / "lora.safetensors";
  ASSERT_TRUE(type->write(some_lora().to_artifact(), path, "lora.safetensors"));
  const auto input = type->open_input(path, digest_of_file);
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(type->validate(*input), "");
  const auto lora = lora_of(*input);
  ASSERT_TRUE(lora) << lora.error().message;
  const auto read = as_diffusion(*lora), written = as_diffusion(some_lora());
  EXPECT_TRUE(at::allclose(read.layers.at(kQuery).delta(), written.layers.at(kQuery).delta()));
}

TEST_F(LoraFileTest, OfAnSdxlBaseIsNumberedInBlocksAndKeepsItsKindWhenItIsReadAgain) {
  auto lora = some_lora();
  lora.layers["text_encoder_2.text_model.encoder.layers.0.mlp.fc1"] = {normal_tensor({4, 32}, "A"),
                                                                       normal_tensor({32, 4}, "B"), 2};
  const diffusion::LoraBase kind{diffusion::Architecture::sdxl, diffusion::PredictionType::v_prediction};
  lora.facts = facts_of(kind);
  EXPECT_EQ(lora.facts, (nlohmann::json{{"base_model", "sdxl_base_v1-0"}, {"prediction_type", "v"}}));
  const auto path = folder.path() / "xl.safetensors";
  ASSERT_TRUE(type->write(lora.to_artifact(), path, "xl.safetensors"));
  const auto file = diffusion::Safetensors::open(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(file->entries().contains("lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q.lora_down.weight"));
  EXPECT_TRUE(file->entries().contains("lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"));
  const auto input = type->open_input(path, digest_of_file);
  ASSERT_TRUE(input) << input.error().message;
  const auto read = lora_of(*input);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->facts, lora.facts);
  EXPECT_EQ(as_diffusion(*read).base, kind);
}

TEST_F(LoraFileTest, ThatHoldsANaNIsRefusedWithTheTensorsName) {
  const auto path = folder.path() / "diverged.safetensors";
  ASSERT_TRUE(diffusion::write_safetensors(path,
                                           {{"lora_unet_conv_in.lora_down.weight", at::ones({2, 4})},
                                            {"lora_unet_conv_in.lora_up.weight", at::full({4, 2}, NAN)}},
                                           {}));
  EXPECT_EQ(lora_of(*type->open_input(path, digest_of_file)).error().message,
            path.string() +
                ": tensor 'lora_unet_conv_in.lora_up.weight' holds a NaN: the file is damaged, or its "
                "training diverged");
}

TEST_F(LoraFileTest, ThatIsAPickleIsRefused) {
  const auto input = type->open_input("/loras/old.ckpt", digest_of_file);
  ASSERT_FALSE(input);
  EXPECT_THAT(input.error().message, testing::StartsWith("/loras/old.ckpt: "));
}

TEST_F(LoraFileTest, ThatIsMissingIsTold) {
  const auto input = type->open_input("/loras/none.safetensors", digest_of_file);
  ASSERT_FALSE(input);
  EXPECT_EQ(input.error().message, "/loras/none.safetensors: a LoRA was expected here, a .safetensors file");
}

TEST_F(LoraFileTest, WantsASafetensorsPath) {
  EXPECT_EQ(type->check_output_path("a/lora/"), "a LoRA is written as one file: end the path with '.safetensors'");
  EXPECT_EQ(type->check_output_path("a/lora.safetensors"), "");
}

}  // namespace
}  // namespace atelier
