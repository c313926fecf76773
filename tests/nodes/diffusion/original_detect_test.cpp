// What a single file's names and shapes tell, at the sizes of the published models and without their weights.
#include "diffusion/original_detect.h"
#include "diffusion/original_prediction.h"

#include <gmock/gmock.h>

#include "diffusion/config_json.h"
#include "published_models.h"

namespace atelier::diffusion {
namespace {

using test::published_sd1;
using test::published_sd2;
using test::published_sdxl;

std::string refusal(const TensorEntries& entries) {
  const auto detected = detect_model(entries);
  return detected ? "" : detected.error().message;
}

/// The same configurations, told by their files so that a difference can be read.
void expect_detected(DetectedModel wanted) {
  const auto detected = must(detect_model(test::original_entries(wanted)));
  EXPECT_EQ(detected.architecture, wanted.architecture);
  if (wanted.architecture == Architecture::sd2) wanted.unet.sample_size = 64;  // that depends on what it predicts
  EXPECT_EQ(unet_json(detected.unet), unet_json(wanted.unet));
  EXPECT_EQ(vae_json(detected.vae, 512), vae_json(wanted.vae, 512));
  ASSERT_EQ(detected.text.size(), wanted.text.size());
  for (std::size_t i = 0; i < wanted.text.size(); ++i) {
    EXPECT_EQ(text_json(detected.text[i], ""), text_json(wanted.text[i], ""));
  }
}

TEST(OriginalDetect, FindsThePublishedConfigurationOfStableDiffusion15) { expect_detected(published_sd1()); }
TEST(OriginalDetect, FindsThePublishedConfigurationOfStableDiffusion21) { expect_detected(published_sd2()); }
TEST(OriginalDetect, FindsThePublishedConfigurationOfSdxl) { expect_detected(published_sdxl()); }
TEST(OriginalDetect, FindsOtherWidthsAndDepths) {
  for (const auto& model : {published_sd1(), published_sd2(), published_sdxl()}) expect_detected(test::small(model));
}

TEST(OriginalDetect, HasTheNumbersOfThePublishedFiles) {
  // SD 1.5: 686 tensors in the UNet, 248 in the VAE, 196 in the text encoder; SDXL: 1,680 in the UNet. From their
  // files.
  const auto count = [](const TensorEntries& entries, const std::string& prefix) {
    return std::ranges::count_if(entries, [&](const auto& item) { return item.first.starts_with(prefix); });
  };
  const auto sd1 = test::original_entries(published_sd1());
  EXPECT_EQ(count(sd1, "model.diffusion_model."), 686);
  EXPECT_EQ(count(sd1, "first_stage_model."), 248);
  EXPECT_EQ(count(sd1, "cond_stage_model."), 196);
  EXPECT_EQ(count(test::original_entries(published_sdxl()), "model.diffusion_model."), 1680);
}

TEST(OriginalDetect, RefusesByNameWhatIsKnownAndNotSupported) {
  const std::string supported = ", which is not supported; supported: Stable Diffusion 1.x, 2.x and SDXL";
  auto refiner = test::original_entries(published_sdxl());
  std::erase_if(refiner, [](const auto& item) { return item.first.starts_with("conditioner."); });
  refiner["conditioner.embedders.0.model.text_projection"] = {.dtype = "F16", .shape = {1280, 1280}};
  EXPECT_EQ(refusal(refiner), "is the SDXL refiner" + supported);

  auto inpainting = test::original_entries(published_sd1());
  inpainting["model.diffusion_model.input_blocks.0.0.weight"].shape = {320, 9, 3, 3};
  EXPECT_EQ(refusal(inpainting), "is an inpainting model: its UNet takes 9 channels, which is not supported");
  inpainting["model.diffusion_model.input_blocks.0.0.weight"].shape = {320, 8, 3, 3};
  EXPECT_EQ(refusal(inpainting), "is an instruct-pix2pix model: its UNet takes 8 channels, which is not supported");

  for (const auto& [key, what] :
       {std::pair{"model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "a Flux model"},
        {"model.diffusion_model.joint_blocks.0.x", "Stable Diffusion 3"},
        {"control_model.input_blocks.0.0.weight", "a ControlNet"},
        {"lora_unet_mid_block_x.lora_down.weight", "a LoRA"},
        {"emb_params", "a textual-inversion embedding"},
        {"edm_mean", "Playground v2.5"}}) {
    EXPECT_EQ(refusal({{key, {.dtype = "F16", .shape = {1}}}}), "is " + std::string(what) + supported);
  }
  auto unclip = test::original_entries(published_sd2());
  unclip["model.diffusion_model.label_emb.0.0.weight"] = {.dtype = "F16", .shape = {1280, 2048}};
  EXPECT_EQ(refusal(unclip), "is an unCLIP model" + supported);
}

TEST(OriginalDetect, TellsWhichPartIsNotThere) {
  const auto without = [](const std::string& prefix) {
    auto entries = test::original_entries(published_sd1());
    std::erase_if(entries, [&](const auto& item) { return item.first.starts_with(prefix); });
    return refusal(entries);
  };
  EXPECT_EQ(without("model."),
            "holds no base model in the original layout: there is no model.diffusion_model.input_blocks.0.0.weight");
  EXPECT_EQ(without("first_stage_model."), "holds no VAE: there are no weights under first_stage_model.");
  EXPECT_EQ(without("cond_stage_model."),
            "holds no text encoders: there are no weights under cond_stage_model. or conditioner.embedders.");
}

TEST(OriginalDetect, DoesNotGuessTheHeadsOfUnusualWidths) {
  auto model = test::small(published_sd2());
  model.unet.levels[0] = {.channels = 32, .cross_attention = true, .heads = 1};
  EXPECT_EQ(refusal(test::original_entries(model)),
            "has a UNet block of 32 channels, which heads of 64 channels do not divide: how many heads it has is not "
            "known; give its configuration, a diffusers folder of such a model");
}

TEST(OriginalDetect, RefusesBlocksThatDifferWithinALevel) {
  auto entries = test::original_entries(test::small(published_sdxl()));
  std::erase_if(entries, [](const auto& item) {
    return item.first.starts_with("model.diffusion_model.input_blocks.5.1.transformer_blocks.1.");
  });
  EXPECT_EQ(refusal(entries),
            "has a UNet whose block model.diffusion_model.input_blocks.5 differs from the one before "
            "it, which is not supported");
}

struct Told {
  const char* name;
  Architecture architecture;
  std::vector<const char*> keys;
  Metadata metadata;
  std::optional<int64_t> global_step;
  PredictionType type;
  bool zero_snr;
  const char* why;
};

class OriginalPrediction : public testing::TestWithParam<Told> {};

TEST_P(OriginalPrediction, IsFoundAndToldWhy) {
  const Told& told = GetParam();
  TensorEntries entries;
  for (const char* key : told.keys) entries[key] = {.dtype = "F32", .shape = {0}};
  const auto prediction = detect_prediction(told.architecture, entries, told.metadata, told.global_step);
  EXPECT_EQ(prediction.type, told.type);
  EXPECT_EQ(prediction.zero_terminal_snr, told.zero_snr);
  EXPECT_EQ(prediction.why, told.why);
}

using enum Architecture;
using enum PredictionType;
constexpr const char* kNothing = "nothing in the file says otherwise";
const Told told[] = {
    {"Sd1", sd1, {}, {}, {}, epsilon, false, kNothing},
    {"Sdxl", sdxl, {}, {}, {}, epsilon, false, kNothing},
    {"Sd2",
     sd2,
     {},
     {},
     {},
     v_prediction,
     false,
     "nothing in the file says otherwise; if it is an SD 2 base (512 px), give prediction_type: epsilon"},
    {"Sd2Base", sd2, {"global_step"}, {}, 875000, epsilon, false, "its global_step is that of SD 2 base"},
    {"Sd2OtherStep",
     sd2,
     {"global_step"},
     {},
     110000,
     v_prediction,
     false,
     "nothing in the file says otherwise; if it is an SD 2 base (512 px), give prediction_type: epsilon"},
    {"SdxlWithV", sdxl, {"v_pred"}, {}, {}, v_prediction, false, "the file has the key v_pred"},
    {"SdxlWithVAndZeroSnr", sdxl, {"v_pred", "ztsnr"}, {}, {}, v_prediction, true, "the file has the key v_pred"},
    {"Metadata",
     sd1,
     {},
     {{"modelspec.prediction_type", "v"}},
     {},
     v_prediction,
     false,
     "the file's metadata says so (modelspec.prediction_type)"},
    {"MetadataBeforeKeys",
     sdxl,
     {"v_pred"},
     {{"modelspec.prediction_type", "epsilon"}},
     {},
     epsilon,
     false,
     "the file's metadata says so (modelspec.prediction_type)"},
    {"ArchitectureOfMetadata",
     sd2,
     {},
     {{"modelspec.architecture", "stable-diffusion-v2-512"}},
     {},
     epsilon,
     false,
     "the file's metadata says so (modelspec.architecture)"},
    {"Kohya",
     sd2,
     {},
     {{"ss_v_parameterization", "True"}},
     {},
     v_prediction,
     false,
     "the file's metadata says so (ss_v_parameterization)"},
};
INSTANTIATE_TEST_SUITE_P(Kinds, OriginalPrediction, testing::ValuesIn(told),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(OriginalExtras, AreWhatPublishedFilesHoldBesides) {
  for (const char* key :
       {"model_ema.decay", "model_ema.diffusion_modelinput_blocks00weight", "alphas_cumprod", "betas",
        "sqrt_alphas_cumprod", "posterior_variance", "cond_stage_model.logit_scale",
        "cond_stage_model.model.logit_scale", "global_step",
        "cond_stage_model.transformer.text_model.embeddings.position_ids", "cond_stage_model.model.attn_mask", "v_pred",
        "ztsnr", "conditioner.embedders.0.logit_scale", "denoiser.sigmas", "first_stage_model.loss.logvar"}) {
    EXPECT_TRUE(known_extra(key, Architecture::sdxl, 12)) << key;
  }
  EXPECT_TRUE(known_extra("cond_stage_model.model.transformer.resblocks.23.ln_1.weight", Architecture::sd2, 23));
  EXPECT_FALSE(known_extra("cond_stage_model.model.transformer.resblocks.24.ln_1.weight", Architecture::sd2, 23));
  EXPECT_FALSE(known_extra("model.diffusion_model.extra.weight", Architecture::sd1, 12));
}

}  // namespace
}  // namespace atelier::diffusion
