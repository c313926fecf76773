#include "diffusion/model_init.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "diffusion/initial_weights.h"
#include "diffusion/base_model.h"
#include "golden_unet.h"
#include "goldens.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

const fs::path kClip = fs::path(ATELIER_SOURCE_DIR) / "models/clip-tokenizer";

std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder)] = test::bytes_of(entry.path());
  }
  return files;
}

TEST(ModelInit, MakesAFolderThatLoadsWholeAndGivesFinitePictures) {
  const TemporaryFolder folder;
  must(init_model({}, folder / "base", kClip));
  const auto model = must(load_stable_diffusion(folder / "base"));
  const std::vector<std::string> prompts{"a portrait of sks person"};
  const auto context = must(model->text->encode_captions(prompts)).context;
  EXPECT_EQ(shape_text(context.sizes()), "[1, 77, 32]");
  // A smooth picture, as photos are: noise would average out in the encoder.
  const auto image = at::upsample_bilinear2d(at::rand({1, 3, 8, 8}), {128, 128}, false) * 2 - 1;
  const auto posterior = must(model->vae->encode(image));
  EXPECT_LT(posterior.std().max().item<float>(), 0.01);
  const auto latents = posterior.mean * model->vae->config().scaling_factor;
  EXPECT_NEAR(latents.std().item<float>(), 1, 0.5);
  const at::NoGradGuard no_grad;
  const auto noise = model->unet->forward({at::randn({1, 4, 16, 16}), at::tensor({500}), context});
  EXPECT_TRUE(noise.isfinite().all().item<bool>());
  EXPECT_GT(noise.std().item<float>(), 1e-3);
  EXPECT_TRUE(must(model->vae->decode(posterior.mean)).isfinite().all().item<bool>());
}

TEST(ModelInit, GivesTheSameBytesForTheSameOptionsAndOthersForAnotherSeed) {
  const TemporaryFolder folder;
  must(init_model({.seed = 7}, folder / "a", kClip));
  must(init_model({.seed = 7}, folder / "b", kClip));
  must(init_model({.seed = 8}, folder / "c", kClip));
  const auto a = contents(folder / "a"), b = contents(folder / "b"), c = contents(folder / "c");
  EXPECT_EQ(a, b);
  ASSERT_EQ(a.size(), c.size());
  EXPECT_NE(a.at("unet/diffusion_pytorch_model.safetensors"), c.at("unet/diffusion_pytorch_model.safetensors"));
  EXPECT_EQ(a.at("tokenizer/vocab.json"), test::bytes_of(kClip / "vocab.json"));
}

TEST(InitialWeights, DependOnTheSeedAndTheirOwnNameOnly) {
  const std::vector<int64_t> shape{4, 9};
  const auto alone = initial_weights({{"b.weight", shape}}, 7);
  const auto among = initial_weights({{"a.weight", shape}, {"b.weight", shape}}, 7);
  EXPECT_TRUE(alone.at("b.weight").equal(among.at("b.weight")));
  EXPECT_FALSE(among.at("a.weight").equal(among.at("b.weight")));
  EXPECT_FALSE(alone.at("b.weight").equal(initial_weights({{"b.weight", shape}}, 8).at("b.weight")));
  // Pinned: a base made by an earlier version is found again in the cache.
  EXPECT_EQ(alone.at("b.weight")[0][0].item<float>(), 0.11962378F);
}

TEST(InitialWeights, FillTheRangeThatTorchInitialisesLayersIn) {
  const auto weights = initial_weights({{"conv.weight", {64, 16, 3, 3}},
                                        {"conv.bias", {64}},
                                        {"norm.weight", {64}},
                                        {"norm.bias", {64}},
                                        {"token_embedding.weight", {1000, 64}}},
                                       1);
  const double bound = 1 / std::sqrt(16.0 * 9);
  EXPECT_LT(weights.at("conv.weight").abs().max().item<double>(), bound);
  EXPECT_NEAR(weights.at("conv.weight").std().item<double>(), bound / std::sqrt(3), 0.02 * bound);
  EXPECT_NEAR(weights.at("conv.weight").mean().item<double>(), 0, 0.02 * bound);
  EXPECT_LT(weights.at("conv.bias").abs().max().item<double>(), bound);
  EXPECT_GT(weights.at("conv.bias").abs().max().item<double>(), 0.8 * bound);
  EXPECT_TRUE(weights.at("norm.weight").equal(at::ones({64})));
  EXPECT_TRUE(weights.at("norm.bias").equal(at::zeros({64})));
  EXPECT_NEAR(weights.at("token_embedding.weight").std().item<double>(), 0.02, 0.001);
}

TEST(ModelInit, RefusesWhatItCannotMake) {
  const TemporaryFolder folder;
  const auto error = [&](const InitOptions& options, const fs::path& to, const fs::path& clip = kClip) {
    return init_model(options, to, clip).error().message;
  };
  EXPECT_EQ(error({.arch = "sd3"}, folder / "m"), "arch 'sd3' is not known; known: sd1, sd2, sdxl");
  EXPECT_EQ(error({.width = 48}, folder / "m"), "width is 48, expected a multiple of 32 up to 320");
  EXPECT_EQ(error({.width = 0}, folder / "m"), "width is 0, expected a multiple of 32 up to 320");
  EXPECT_EQ(error({.width = 352}, folder / "m"), "width is 352, expected a multiple of 32 up to 320");
  EXPECT_EQ(error({}, folder / "m", folder / "clip"),
            (folder / "clip/vocab.json").string() + ": is missing; the tokenizer's files are needed");
  EXPECT_FALSE(fs::exists(folder / "m"));
  test::put_bytes(folder / "full/note.txt", "mine");
  EXPECT_EQ(error({}, folder / "full"), (folder / "full").string() + ": is there already and not empty");
  EXPECT_EQ(error({}, folder / "full/note.txt"), (folder / "full/note.txt").string() + ": is a file");
}

/// Whether real diffusers takes what init_model() and write_model() write.
TEST(PythonModelInit, IsLoadedByDiffusersWithTheSameOutputs) {
  ATELIER_REQUIRE_VENV();
  const TemporaryFolder folder;
  must(init_model({}, folder / "base", kClip));
  ASSERT_TRUE(test::run_python("base_in_diffusers.py", {folder / "base", folder / "out"}));
  const auto theirs = test::read_all(folder / "out");
  const auto model = must(load_stable_diffusion(folder / "base"));
  const at::NoGradGuard no_grad;
  const std::vector<std::string> prompts{"a portrait of sks person", ""};
  EXPECT_TRUE(test::near(must(model->text->encode_captions(prompts)).context, theirs.at("text"), 1e-5));
  const auto posterior = must(model->vae->encode(theirs.at("image")));
  EXPECT_TRUE(test::near(posterior.mean, theirs.at("mean"), 2e-4));  // 1.1e-4 where vectors have 8 numbers
  EXPECT_TRUE(test::near(must(model->vae->decode(posterior.mean)), theirs.at("decoded"), 1e-4));
  EXPECT_TRUE(test::near(model->unet->forward({theirs.at("sample"), theirs.at("t"), theirs.at("text")}),
                         theirs.at("unet"), 1e-5));
}

}  // namespace
}  // namespace atelier::diffusion
