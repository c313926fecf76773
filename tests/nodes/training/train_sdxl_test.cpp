// SDXL through the nodes: two text encoders, the sizes of each photo, latents of several shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "model/base_model.h"
#include "model/model_type.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"
#include "training/dataset_node.h"
#include "training/encode_node.h"
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

}  // namespace
}  // namespace atelier
