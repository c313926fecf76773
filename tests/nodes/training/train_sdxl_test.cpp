// SDXL through the nodes: two text encoders, the sizes of each photo, latents of several shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/safetensors.h"
#include "lora/embedding_type.h"
#include "lora/lora_type.h"
#include "model/base_model.h"
#include "model/loras.h"
#include "model/model_type.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"
#include "training/dataset_node.h"
#include "training/encode_node.h"
#include "training/train_embedding_node.h"
#include "training/train_node.h"
#include "types/captions.h"
#include "types/images.h"
#include "types/latents.h"

namespace atelier {
namespace {

Image noise_image(const std::string& name, std::int64_t width, std::int64_t height) {
  std::vector<std::uint8_t> values(static_cast<std::size_t>(3 * width * height));
  auto stream = RandomStream(0, "picture", sha256(name));
  for (auto& value : values) value = static_cast<std::uint8_t>(stream.below(256));
  Image image;
  image.name = name;
  image.photo = sha256(name);
  image.pixels = Tensor::of({height, width, 3}, values);
  image.original_width = 10 * width;
  image.original_height = 10 * height;
  return image;
}

class PeersSdxl : public testing::Test {
 protected:
  void SetUp() override {
    const char* peers = std::getenv("ATELIER_PEERS");
    if (!peers) GTEST_SKIP() << "ATELIER_PEERS names no folder with the peers' models";
    base = *make_model_type()->open_input(std::filesystem::path(peers) / "sdxl" / "model", digest_of_file);
    captions.items = {{"a.png", "sks, a person, red"}, {"b.png", "sks, a person, blue"}};
  }

  Artifact run(const Node& node, const Inputs& inputs, const std::map<std::string, Value>& params,
               const std::string& port, FakeContext& context) {
    FakeDevice device;
    const auto outputs = run_node(node, inputs, params, context, device);
    if (!outputs) throw Fault(outputs.error().message);
    return outputs->at(port);
  }
  Artifact encoded(bool with_captions) {
    FakeContext context;
    const ImageSet images{{noise_image("a.png", 64, 64), noise_image("b.png", 128, 64)}};
    Inputs inputs{{"base", {base}}, {"images", {images.to_artifact()}}};
    if (with_captions) inputs["captions"] = {captions.to_artifact()};
    return run(*make_encode_node(), inputs, {}, "latents", context);
  }
  Artifact dataset(bool with_captions) {
    FakeContext context;
    return run(*make_dataset_node(), {{"latents", {encoded(with_captions)}}, {"captions", {captions.to_artifact()}}},
               {}, "dataset", context);
  }
  Artifact trained(const Artifact& set, std::map<std::string, Value> params, FakeContext& context) {
    params.merge(std::map<std::string, Value>{{"rank", 2}, {"steps", 4}, {"batch_size", 2}, {"checkpoint_every", 2}});
    return run(*make_train_node(), {{"base", {base}}, {"datasets", {set}}}, params, "lora", context);
  }

  Artifact base;
  CaptionSet captions;
};

TEST_F(PeersSdxl, EncodesStatesOfBothEncodersAndThePooledTextAndKeepsSizes) {
  const auto latents = *Latents::from(encoded(true));
  ASSERT_EQ(latents.photos.size(), 2u);
  EXPECT_EQ(latents.photos[1].sizes, (PhotoSizes{640, 1280, 0, 0, 64, 128}));
  const auto folder = *open_base(*Model::from(base));
  for (const auto& [caption, text] : latents.texts) {
    EXPECT_EQ(text.states.shape()[1], folder.unet_config().cross_attention_dim);
    ASSERT_TRUE(text.pooled.has_value());
  }
}

TEST_F(PeersSdxl, TrainsBothTextEncodersAndGoesOnToTheBit) {
  const auto set = dataset(false);
  FakeContext whole, again;
  const auto lora = trained(set, {{"train_text_encoder", true}}, whole);
  const auto layers = LoraSet::from(lora)->layers;
  const auto any = [&](const std::string& prefix) {
    return std::ranges::any_of(layers, [&](const auto& layer) { return layer.first.starts_with(prefix); });
  };
  EXPECT_TRUE(any("text_encoder."));
  EXPECT_TRUE(any("text_encoder_2."));
  EXPECT_TRUE(any("mid_block."));
  again.checkpoint = whole.saved.at(0);
  EXPECT_EQ(digest_of(trained(set, {{"train_text_encoder", true}}, again)), digest_of(lora));
}

TEST_F(PeersSdxl, LearnsTheSameFromCachedTextAsFromTextItEncodesItself) {
  FakeContext one, two;
  EXPECT_EQ(digest_of(trained(dataset(true), {}, one)), digest_of(trained(dataset(false), {}, two)));
}

// The project's small SDXL as one that predicts v over a schedule that ends in noise alone.
Artifact velocity_base(const std::filesystem::path& folder) {
  std::filesystem::copy(ATELIER_SOURCE_DIR "/tests/golden/sdxl_tiny/model", folder,
                        std::filesystem::copy_options::recursive);
  const auto path = folder / "scheduler/scheduler_config.json";
  std::ifstream in(path);
  auto scheduler = nlohmann::json::parse(in);
  scheduler["prediction_type"] = "v_prediction";
  scheduler["rescale_betas_zero_snr"] = true;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::ofstream(path) << scheduler;
  return make_model_type()->open_input(folder, digest_of_file).value();
}

Expected<Artifact> run_one(const Node& node, const Inputs& inputs, const std::map<std::string, Value>& params,
                           const std::string& port) {
  FakeContext context;
  FakeDevice device;
  auto outputs = run_node(node, inputs, params, context, device);
  if (!outputs) return tl::unexpected(outputs.error());
  return outputs->at(port);
}

TEST(TrainSdxl, WritesWhatItsBasePredictsAsKohyaDoes) {
  const TemporaryFolder folder;
  const auto base = velocity_base(folder.path() / "base");
  CaptionSet captions;
  captions.items = {{"a.png", "sks"}};
  const ImageSet images{{noise_image("a.png", 32, 32)}};
  const auto latents =
      run_one(*make_encode_node(), {{"base", {base}}, {"images", {images.to_artifact()}}}, {}, "latents");
  ASSERT_TRUE(latents) << latents.error().message;
  const auto set =
      run_one(*make_dataset_node(), {{"latents", {*latents}}, {"captions", {captions.to_artifact()}}}, {}, "dataset");
  ASSERT_TRUE(set) << set.error().message;
  const Inputs inputs{{"base", {base}}, {"datasets", {*set}}};
  const auto lora = run_one(*make_train_node(), inputs, {{"rank", 2}, {"steps", 1}}, "lora");
  ASSERT_TRUE(lora) << lora.error().message;

  const auto files = make_posix_files();
  const auto path = folder.path() / "lora.safetensors";
  ASSERT_TRUE(make_lora_type(*files)->write(*lora, path, "lora.safetensors"));
  const auto written = diffusion::Safetensors::open(path)->metadata();
  EXPECT_EQ(written.at("ss_base_model_version"), "sdxl_base_v1-0");
  EXPECT_EQ(written.at("modelspec.architecture"), "stable-diffusion-xl-v1-base/lora");
  EXPECT_EQ(written.at("modelspec.prediction_type"), "v");
  EXPECT_EQ(written.at("ss_zero_terminal_snr"), "True");
  EXPECT_EQ(written.at("ss_v2"), "False");
  const diffusion::LoraBase kind{diffusion::Architecture::sdxl, diffusion::PredictionType::v_prediction, true};
  EXPECT_EQ(as_diffusion(lora_of(*make_lora_type(*files)->open_input(path, digest_of_file)).value()).base, kind);

  const auto word = run_one(*make_train_embedding_node(), inputs,
                            {{"word", "sks"}, {"initializer", "person"}, {"steps", 1}}, "embedding");
  ASSERT_TRUE(word) << word.error().message;
  ASSERT_TRUE(make_embedding_type(*files)->write(*word, folder.path() / "word.safetensors", "word.safetensors"));
  EXPECT_EQ(
      diffusion::Safetensors::open(folder.path() / "word.safetensors")->metadata().at("modelspec.prediction_type"),
      "v");
}

}  // namespace
}  // namespace atelier
