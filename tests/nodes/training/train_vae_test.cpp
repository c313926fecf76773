#include "training/train_vae_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/base_model.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"
#include "training/crop_visits.h"
#include "training/signed_pixels.h"
#include "types/images.h"
#include "types/pictures.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A picture whose numbers say where they are.
Image image_of(const std::string& name, std::int64_t height, std::int64_t width) {
  std::vector<std::uint8_t> pixels;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < 3; ++c)
        pixels.push_back(static_cast<std::uint8_t>((37 * y + 11 * x + 83 * c) % 256));
  Image image;
  image.name = name;
  image.photo = sha256(name);
  image.pixels = Tensor::of({height, width, 3}, pixels);
  return image;
}

ImageSet three_images() { return {{image_of("a.png", 32, 32), image_of("b.png", 40, 36), image_of("c.png", 32, 48)}}; }

const std::map<std::string, Value> kShort{
    {"steps", 4}, {"batch_size", 2}, {"crop", 16}, {"learning_rate", 1e-3}, {"checkpoint_every", 2}};

Expected<Outputs> train_vae(FakeContext& context, std::map<std::string, Value> params = kShort,
                            const ImageSet& images = three_images()) {
  FakeDevice device;
  return run_node(*make_train_vae_node(), {{"base", {tiny_base()}}, {"images", {images.to_artifact()}}}, params,
                  context, device);
}

TEST(TrainVae, GivesTheBaseWithAnotherAutoencoder) {
  FakeContext context;
  const auto outputs = train_vae(context);
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto model = *Model::from(outputs->at("model"));
  ASSERT_TRUE(model.changed);
  EXPECT_EQ(model.changed->parts.size(), 1u);
  EXPECT_TRUE(model.changed->parts.contains("vae"));
  FakeDevice device;
  const auto pixels = signed_pixels(three_images().items[0]).unsqueeze(0);
  const auto before = (*resident_vae(*Model::from(tiny_base()), device))->encode(pixels);
  const auto after = (*resident_vae(model, device))->encode(pixels);
  EXPECT_FALSE(after->mean.equal(before->mean));
}

TEST(TrainVae, ShowsImagesBesideTheirReconstructions) {
  FakeContext context;
  const auto pictures = *PictureSet::from(train_vae(context)->at("validation"));
  ASSERT_EQ(pictures.items.size(), 3u);
  EXPECT_EQ(pictures.items[1].name, "b.png");
  EXPECT_THAT(pictures.items[1].pixels.shape(), ElementsAre(40, 72, 3));
}

TEST(TrainVae, TellsLossesOfEachStep) {
  FakeContext context;
  ASSERT_TRUE(train_vae(context));
  std::vector<std::string> of_first_step;
  for (const auto& metric : context.metrics)
    if (metric.step == 0) of_first_step.push_back(metric.name);
  EXPECT_THAT(of_first_step,
              ElementsAre("loss", "reconstruction", "gradient_difference", "kl", "gradient_norm", "learning_rate"));
}

TEST(TrainVae, GoesOnFromItsCheckpointToTheBit) {
  FakeContext whole, cut;
  const auto wanted = train_vae(whole);
  cut.stop_after = 2;
  const auto stopped = train_vae(cut);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::stopped);
  EXPECT_EQ(stopped.error().message, "stopped at step 2 of 4");
  FakeContext rest;
  rest.checkpoint = cut.checkpoint;
  const auto resumed = train_vae(rest);
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(digest_of(resumed->at("model")), digest_of(wanted->at("model")));
  EXPECT_EQ(rest.metrics.front().step, 2);
}

TEST(TrainVae, RefusesImagesSmallerThanASquareByNameAndSize) {
  FakeContext context;
  auto params = kShort;
  params["crop"] = 36;
  EXPECT_EQ(train_vae(context, params).error().message,
            "a.png: 32 x 32 px, smaller than the squares of 36 px that are cut out (param 'crop')");
}

TEST(TrainVae, RefusesACropThatTheVaeDoesNotDivide) {
  FakeContext context;
  auto params = kShort;
  params["crop"] = 18;
  EXPECT_EQ(train_vae(context, params).error().message, "param 'crop' is 18, this VAE takes multiples of 4 px");
}

TEST(TrainVae, RefusesNoImages) {
  FakeContext context;
  EXPECT_EQ(train_vae(context, kShort, ImageSet{}).error().message, "there are no images to train on");
}

TEST(TrainVae, ChecksTheWarmUpBeforeAnythingRuns) {
  const auto node = make_train_vae_node();
  EXPECT_THAT(node->check(Params(node->spec(), {{"steps", 5}, {"warmup_steps", 6}}), {}),
              ElementsAre("param 'warmup_steps' is 6, more than the 5 steps of the training"));
}

TEST(CropVisits, CutTheSameSquaresWhateverTheBatchBeforeWas) {
  const auto images = three_images();
  const CropSettings settings{.side = 16, .batch_size = 2, .seed = 3};
  auto in_turn = *CropVisits::of(images.items, settings), alone = *CropVisits::of(images.items, settings);
  (void)in_turn.pictures(0);
  (void)in_turn.pictures(1);
  EXPECT_TRUE(in_turn.pictures(2).equal(alone.pictures(2)));
  EXPECT_TRUE(in_turn.noise(2, 4, 4).equal(alone.noise(2, 4, 4)));
}

TEST(CropVisits, MirrorOnlyWhereAskedFor) {
  ImageSet one{{image_of("a.png", 16, 16)}};
  auto plain = *CropVisits::of(one.items, {.side = 16, .batch_size = 1, .seed = 0, .mirror = false});
  auto mirrored = *CropVisits::of(one.items, {.side = 16, .batch_size = 1, .seed = 0, .mirror = true});
  const auto whole = signed_pixels(one.items[0]);
  int turned = 0;
  for (int step = 0; step < 32; ++step) {
    EXPECT_TRUE(plain.pictures(step)[0].equal(whole));
    const auto square = mirrored.pictures(step)[0];
    const bool flipped = square.equal(whole.flip(2));
    EXPECT_TRUE(flipped || square.equal(whole));
    turned += flipped ? 1 : 0;
  }
  EXPECT_GT(turned, 4);
  EXPECT_LT(turned, 28);
}

}  // namespace
}  // namespace atelier
