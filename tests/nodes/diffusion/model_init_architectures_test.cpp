// `model init` for each architecture: a folder that loads, paints and trains like a published one, in small.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include "diffusion/model_init.h"
#include "golden_unet.h"
#include "goldens.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

const fs::path kClip = fs::path(ATELIER_SOURCE_DIR) / "models/clip-tokenizer";
const std::vector<std::string> kPrompts{"a portrait of sks person", ""};

class InitArchitectures : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    must(init_model({.arch = GetParam()}, folder / "base", kClip));
    model = {folder / "base", sdxl() ? Architecture::sdxl : sd2() ? Architecture::sd2 : Architecture::sd1};
  }
  bool sdxl() const { return GetParam() == "sdxl"; }
  bool sd2() const { return GetParam() == "sd2"; }

  TemporaryFolder folder;
  ModelFolder model;
};
INSTANTIATE_TEST_SUITE_P(All, InitArchitectures, ::testing::Values("sd1", "sd2", "sdxl"), golden_name);

TEST_P(InitArchitectures, MakeAFolderThatIsTheArchitectureAndGivesFiniteNoise) {
  const TextEncoders text = model.text_encoders();
  EXPECT_EQ(model.scheduler().prediction_type, sd2() ? PredictionType::v_prediction : PredictionType::epsilon);
  EXPECT_EQ(text[0].tokenizer->padding_id(), sd2() ? 0 : text[0].tokenizer->end_id());
  if (sdxl()) {
    EXPECT_EQ(text[1].tokenizer->padding_id(), 0);
  }

  const auto unet = model.unet();
  const auto told = must(text.encode_captions(kPrompts));
  EXPECT_EQ(told.context.size(2), unet->config().cross_attention_dim);
  UNetInput input{at::randn({2, 4, 16, 16}), at::tensor({500, 3}), told.context, told.pooled};
  if (sdxl()) input.time_ids = at::full({2, 6}, 128.0);
  must(unet->check(input));
  const at::NoGradGuard no_grad;
  const at::Tensor noise = unet->forward(input);
  EXPECT_TRUE(noise.isfinite().all().item<bool>());
  EXPECT_GT(noise.std().item<float>(), 1e-3);
}

TEST_P(InitArchitectures, GiveLatentsThatVaryByAboutOne) {
  const auto vae = model.vae();
  // A smooth picture, as photos are: noise would average out in the encoder.
  const auto image = at::upsample_bilinear2d(at::rand({1, 3, 8, 8}), {128, 128}, false) * 2 - 1;
  const auto posterior = must(vae->encode(image));
  EXPECT_LT(posterior.std().max().item<float>(), 0.01);
  EXPECT_NEAR((posterior.mean * vae->config().scaling_factor).std().item<float>(), 1, 0.5);
}

TEST(InitSdxl, GivesTheTwoTextEncodersWeightsOfTheirOwn) {
  const TemporaryFolder folder;
  must(init_model({.arch = "sdxl"}, folder / "base", kClip));
  const auto first = test::read_all(folder / "base/text_encoder/model.safetensors");
  const auto second = test::read_all(folder / "base/text_encoder_2/model.safetensors");
  EXPECT_FALSE(first.contains("text_projection.weight"));
  EXPECT_TRUE(second.contains("text_projection.weight"));
  const std::string name = "text_model.embeddings.token_embedding.weight";
  EXPECT_FALSE(first.at(name).flatten().narrow(0, 0, 64).equal(second.at(name).flatten().narrow(0, 0, 64)));
}

/// Whether real diffusers takes what init_model() writes, and computes the same.
using PythonInitArchitectures = InitArchitectures;
INSTANTIATE_TEST_SUITE_P(Python, PythonInitArchitectures, ::testing::Values("sd1", "sd2", "sdxl"), golden_name);

TEST_P(PythonInitArchitectures, AreLoadedByDiffusersWithTheSameOutputs) {
  ATELIER_REQUIRE_VENV();
  ASSERT_TRUE(test::run_python("base_in_diffusers.py", {folder / "base", folder / "out"}));
  const auto theirs = test::read_all(folder / "out");
  const auto vae = model.vae();
  const auto told = must(model.text_encoders().encode_captions(kPrompts));
  EXPECT_TRUE(test::near(told.context, theirs.at("text"), 1e-5));
  UNetInput input{theirs.at("sample"), theirs.at("t"), told.context, told.pooled};
  if (told.pooled.defined()) {
    EXPECT_TRUE(test::near(told.pooled, theirs.at("pooled"), 1e-5));
    input.time_ids = theirs.at("time_ids");
  }
  const auto posterior = must(vae->encode(theirs.at("image")));
  EXPECT_TRUE(test::near(posterior.mean, theirs.at("mean"), 2e-4));  // 1.1e-4 where vectors have 8 numbers
  EXPECT_TRUE(test::near(must(vae->decode(posterior.mean)), theirs.at("decoded"), 1e-4));
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(test::near(model.unet()->forward(input), theirs.at("unet"), 1e-5));
}

}  // namespace
}  // namespace atelier::diffusion
