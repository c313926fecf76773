#include "sampling/sample_node.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/tensors.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"
#include "types/embedding.h"
#include "types/model.h"
#include "types/pictures.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kQuery = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";

const std::map<std::string, Value> kShort{{"prompts", Value::List{"a person"}}, {"steps", 2}};

Artifact lora_named(const std::string& name) {
  LoraSet lora;
  lora.layers[kQuery] = {normal_tensor({4, 32}, name + "A"), normal_tensor({32, 4}, name + "B"), 4};
  return lora.to_artifact();
}

std::map<std::string, Value> with(std::map<std::string, Value> params, const std::string& name, Value value) {
  params[name] = std::move(value);
  return params;
}

struct Painted {
  Expected<Outputs> outputs;
  std::vector<std::string> warnings;
  std::vector<std::string> previews;

  std::vector<Picture> pictures() const { return PictureSet::from(outputs.value().at("pictures"))->items; }
};

Painted paint(const Inputs& inputs, const std::map<std::string, Value>& params) {
  FakeContext context;
  FakeDevice device;
  auto outputs = run_node(*make_sample_node(), inputs, params, context, device);
  Painted painted{std::move(outputs), context.warnings, {}};
  for (const auto& [name, png] : context.previews) painted.previews.push_back(name);
  return painted;
}

bool equal(const Tensor& one, const Tensor& other) {
  return one.shape() == other.shape() && std::ranges::equal(one.bytes(), other.bytes());
}

TEST(Sample, PaintsEachPromptWithEachSeedAtTheBasesOwnSize) {
  const auto painted = paint({{"base", {tiny_base()}}}, {{"prompts", Value::List{"a person", "a wall"}},
                                                         {"negative", "blue"},
                                                         {"seeds", Value::List{1, 2}},
                                                         {"steps", 2}});
  ASSERT_TRUE(painted.outputs) << painted.outputs.error().message;
  std::vector<std::string> names;
  for (const auto& picture : painted.pictures()) names.push_back(picture.name);
  EXPECT_THAT(names, ElementsAre("0001_seed1.png", "0001_seed2.png", "0002_seed1.png", "0002_seed2.png"));
  EXPECT_THAT(painted.previews, ElementsAre("0001_seed1", "0001_seed2", "0002_seed1", "0002_seed2"));
  EXPECT_THAT(painted.pictures()[0].pixels.shape(), ElementsAre(64, 64, 3));
  EXPECT_EQ(painted.pictures()[3].metadata, (nlohmann::json{{"prompt", "a wall"},
                                                            {"negative_prompt", "blue"},
                                                            {"seed", 2},
                                                            {"steps", 2},
                                                            {"guidance", 7.5},
                                                            {"sampler", "DDIM"},
                                                            {"width", 64},
                                                            {"height", 64}}));
}

TEST(Sample, PaintsASeedAlikeWhateverElseWasAskedFor) {
  const auto one = paint({{"base", {tiny_base()}}}, with(kShort, "seeds", Value::List{7})).pictures();
  const auto two = paint({{"base", {tiny_base()}}}, with(kShort, "seeds", Value::List{3, 7})).pictures();
  EXPECT_TRUE(equal(one[0].pixels, two[1].pixels));
  EXPECT_FALSE(equal(two[0].pixels, two[1].pixels));
}

TEST(Sample, PaintsAlikeWithAFusedModelAndWithTheBaseAndItsLoras) {
  auto model = *Model::from(tiny_base());
  model.loras = {{*LoraSet::from(lora_named("one")), 0.6}, {*LoraSet::from(lora_named("two")), 0.9}};
  const auto fused = paint({{"model", {model.to_artifact()}}}, kShort).pictures();
  const Inputs beside{{"base", {tiny_base()}}, {"loras", {lora_named("one"), lora_named("two")}}};
  const auto adapted = paint(beside, with(kShort, "weights", Value::List{0.6, 0.9})).pictures();
  EXPECT_TRUE(equal(fused[0].pixels, adapted[0].pixels));
  EXPECT_FALSE(equal(fused[0].pixels, paint({{"base", {tiny_base()}}}, kShort).pictures()[0].pixels));
}

TEST(Sample, PaintsAMergedModelAsTheModelThatIsWrittenOfIt) {
  auto model = *Model::from(tiny_base());
  model.loras = {{*LoraSet::from(lora_named("one")), 0.6}, {*LoraSet::from(lora_named("two")), 0.9}};
  const auto summed = paint({{"model", {model.to_artifact()}}}, kShort).pictures();
  model.merge = MergeRule{.method = "ties", .density = 0.5, .seed = 0, .blocks = {}};
  model.dtype = "float32";
  const auto merged = paint({{"model", {model.to_artifact()}}}, kShort);
  ASSERT_TRUE(merged.outputs) << merged.outputs.error().message;
  const TemporaryFolder folder;
  const auto type = make_model_type();
  ASSERT_TRUE(type->write(model.to_artifact(), folder.path() / "model", "model/"));
  const auto written = paint({{"base", {*type->open_input(folder.path() / "model", digest_of_file)}}}, kShort);
  EXPECT_TRUE(equal(merged.pictures()[0].pixels, written.pictures()[0].pixels));
  EXPECT_FALSE(equal(merged.pictures()[0].pixels, summed[0].pixels));
}

TEST(Sample, AddsNoLorasToAMergedModel) {
  auto model = *Model::from(tiny_base());
  model.loras = {{*LoraSet::from(lora_named("one")), 1}};
  model.merge = MergeRule{.method = "ties", .density = 0.5, .seed = 0, .blocks = {}};
  const auto painted = paint({{"base", {model.to_artifact()}}, {"loras", {lora_named("two")}}}, kShort);
  ASSERT_FALSE(painted.outputs);
  EXPECT_EQ(painted.outputs.error().message,
            "the LoRAs of this model are merged by the method ties, which takes all at once: give its base to one fuse "
            "with all of them");
}

TEST(Sample, PaintsWithEachSamplerAnotherPicture) {
  std::vector<Picture> all;
  for (const char* name : {"ddim", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_sde_karras", "unipc"}) {
    const auto painted = paint({{"base", {tiny_base()}}}, with(with(kShort, "sampler", name), "steps", 3));
    ASSERT_TRUE(painted.outputs) << painted.outputs.error().message;
    for (const auto& other : all) EXPECT_FALSE(equal(painted.pictures()[0].pixels, other.pixels)) << name;
    all.push_back(painted.pictures()[0]);
  }
  EXPECT_EQ(all.back().metadata.at("sampler"), "UniPC");
}

// Mean difference of two pictures, of 255.
double distance(const Tensor& one, const Tensor& other) {
  return (as_torch(one).to(at::kFloat) - as_torch(other).to(at::kFloat)).abs().mean().item<double>();
}

TEST(Sample, ComputesInLessPrecisionWhenAsked) {
  const auto whole = paint({{"base", {tiny_base()}}}, kShort).pictures();
  const auto rounded = paint({{"base", {tiny_base()}}}, with(kShort, "precision", "bfloat16")).pictures();
  EXPECT_FALSE(equal(whole[0].pixels, rounded[0].pixels));
  EXPECT_LT(distance(whole[0].pixels, rounded[0].pixels), 8) << "the same picture, but for rounding";
  EXPECT_EQ(rounded[0].metadata.at("precision"), "bfloat16");
  EXPECT_FALSE(whole[0].metadata.contains("precision"));
  const auto half = paint({{"base", {tiny_base()}}}, with(kShort, "precision", "float16"));
  ASSERT_FALSE(half.outputs);
  EXPECT_EQ(half.outputs.error().message, "UNet: float16 needs a GPU; on the CPU it computes in float32 or bfloat16");
}

TEST(Sample, TellsItsSettingsInThePicture) {
  auto params = kShort;
  params["sampler"] = "dpmpp_2m_karras";
  params["spacing"] = "trailing";
  params["guidance_rescale"] = 0.7;
  params["clip_skip"] = 2;
  params["second_pass_scale"] = 1.5;
  params["second_pass_strength"] = 0.5;
  params["second_pass_steps"] = 4;
  params["vae_tile"] = 64;
  const auto painted = paint({{"base", {tiny_base()}}}, params);
  ASSERT_TRUE(painted.outputs) << painted.outputs.error().message;
  EXPECT_THAT(painted.pictures()[0].pixels.shape(), ElementsAre(96, 96, 3));
  EXPECT_EQ(painted.pictures()[0].metadata, (nlohmann::json{{"prompt", "a person"},
                                                            {"seed", 0},
                                                            {"steps", 2},
                                                            {"sampler", "DPM++ 2M Karras"},
                                                            {"timestep_spacing", "trailing"},
                                                            {"guidance", 7.5},
                                                            {"guidance_rescale", 0.7},
                                                            {"width", 64},
                                                            {"height", 64},
                                                            {"clip_skip", 2},
                                                            {"second_pass_scale", 1.5},
                                                            {"second_pass_strength", 0.5},
                                                            {"second_pass_steps", 4},
                                                            {"vae_tile", 64}}));
}

// The mean of a picture's squared differences from another, once both are halved to see what they show at large.
double unlike(const Tensor& one, const Tensor& other) {
  const auto planes = [](const Tensor& pixels) {
    const auto image = as_torch(pixels).permute({2, 0, 1}).to(at::kFloat);
    return at::adaptive_avg_pool2d(image, {16, 16});
  };
  return (planes(one) - planes(other)).square().mean().item<double>();
}

TEST(Sample, KeepsThePictureInASecondPassOfLittleStrength) {
  auto params = with(kShort, "steps", 10);
  const auto first = paint({{"base", {tiny_base()}}}, params).pictures()[0];
  params["second_pass_scale"] = 2.0;
  params["second_pass_strength"] = 0.1;
  const auto slight = paint({{"base", {tiny_base()}}}, params);
  params["second_pass_strength"] = 1.0;
  const auto strong = paint({{"base", {tiny_base()}}}, params);
  ASSERT_TRUE(slight.outputs) << slight.outputs.error().message;
  EXPECT_THAT(slight.pictures()[0].pixels.shape(), ElementsAre(128, 128, 3));
  EXPECT_LT(unlike(slight.pictures()[0].pixels, first.pixels), unlike(strong.pictures()[0].pixels, first.pixels));
}

TEST(Sample, UsesTheLorasThatAPromptNamesAndNoOthers) {
  const Inputs inputs{{"base", {tiny_base()}}, {"loras", {lora_named("one"), lora_named("two")}}};
  auto params = with(with(kShort, "weights", Value::List{0.6, 0.9}), "lora_names", Value::List{"anna", "style"});
  const auto all = paint(inputs, params).pictures();
  params["prompts"] = Value::List{"a person<lora:anna:0.5>"};
  const auto one = paint(inputs, params).pictures();
  const Inputs alone{{"base", {tiny_base()}}, {"loras", {lora_named("one")}}};
  EXPECT_TRUE(equal(one[0].pixels, paint(alone, with(kShort, "weights", Value::List{0.5})).pictures()[0].pixels));
  EXPECT_FALSE(equal(one[0].pixels, all[0].pixels));
  EXPECT_EQ(one[0].metadata.at("loras"), (nlohmann::json{{{"name", "anna"}, {"weight", 0.5}}}));
  params["prompts"] = Value::List{"a person <lora:berta:0.5>"};
  const auto unknown = paint(inputs, params);
  ASSERT_FALSE(unknown.outputs);
  EXPECT_THAT(unknown.outputs.error().message, testing::HasSubstr("berta"));
}

TEST(Sample, UsesTheWordOfAnEmbedding) {
  WordVectors word;
  word.word = "<sks>";
  word.vectors = {normal_tensor({2, 16}, "sks")};
  const Inputs inputs{{"base", {tiny_base()}}, {"embeddings", {word.to_artifact()}}};
  const auto params = with(kShort, "prompts", Value::List{"a photo of <sks>"});
  const auto painted = paint(inputs, params);
  ASSERT_TRUE(painted.outputs) << painted.outputs.error().message;
  EXPECT_FALSE(equal(painted.pictures()[0].pixels, paint({{"base", {tiny_base()}}}, params).pictures()[0].pixels));
}

TEST(Sample, WantsANameForEachLora) {
  const auto node = make_sample_node();
  const auto told = [&](Value names) {
    const Params params(node->spec(), with(kShort, "lora_names", std::move(names)));
    return node->check(params, {{"base", 1}, {"loras", 2}});
  };
  EXPECT_THAT(told(Value::List{"anna", "style"}), IsEmpty());
  EXPECT_THAT(told(Value::List{"anna"}),
              ElementsAre("param 'lora_names' has 1 name, port 'loras' 2 sources; there must be one for each"));
  EXPECT_THAT(told(Value::List{"anna", "a:b"}),
              ElementsAre("param 'lora_names' has \"a:b\"; a name is not empty and has none of : < >"));
  EXPECT_THAT(told(Value::List{"anna", "anna"}), ElementsAre("param 'lora_names' has \"anna\" twice"));
}

TEST(Sample, RefusesALoraInTheNegativePrompt) {
  const auto painted = paint({{"base", {tiny_base()}}}, with(kShort, "negative", "ugly <lora:anna:1>"));
  ASSERT_FALSE(painted.outputs);
  EXPECT_EQ(painted.outputs.error().message,
            "the negative prompt \"ugly <lora:anna:1>\" names the LoRA 'anna'; only a prompt can use one");
}

TEST(Sample, TakesTheEmptyTextForNoNegativePrompt) {
  const auto none = paint({{"base", {tiny_base()}}}, kShort).pictures();
  const auto empty = paint({{"base", {tiny_base()}}}, with(kShort, "negative", "")).pictures();
  EXPECT_TRUE(equal(none[0].pixels, empty[0].pixels)) << "in SD 1.x";
  EXPECT_FALSE(none[0].metadata.contains("negative_prompt"));
}

TEST(Sample, PaintsAlikeInBatchesAndWithLittleMemory) {
  auto params = with(kShort, "seeds", Value::List{3, 7});
  const auto plain = paint({{"base", {tiny_base()}}}, params).pictures();
  const auto batch = paint({{"base", {tiny_base()}}}, with(params, "batch_size", 2)).pictures();
  EXPECT_TRUE(equal(plain[1].pixels, batch[1].pixels)) << "on the CPU to the bit";
  const auto little = paint({{"base", {tiny_base()}}}, with(params, "low_memory", true)).pictures();
  const auto difference = (as_torch(plain[1].pixels).to(at::kInt) - as_torch(little[1].pixels).to(at::kInt)).abs();
  EXPECT_LE(difference.max().item<int>(), 1);
}

TEST(Sample, UsesALorasTextEncoderToo) {
  LoraSet lora;
  lora.layers["text_encoder.text_model.encoder.layers.0.mlp.fc1"] = {normal_tensor({2, 16}, "A"),
                                                                     normal_tensor({64, 2}, "B"), 2};
  const Inputs adapted{{"base", {tiny_base()}}, {"loras", {lora.to_artifact()}}};
  const auto painted = paint(adapted, kShort);
  ASSERT_TRUE(painted.outputs) << painted.outputs.error().message;
  EXPECT_FALSE(equal(painted.pictures()[0].pixels, paint({{"base", {tiny_base()}}}, kShort).pictures()[0].pixels));
}

TEST(Sample, TakesAnySizeThatTheVaeDivides) {
  const auto painted = paint({{"base", {tiny_base()}}}, with(with(kShort, "width", 36), "height", 52));
  EXPECT_THAT(painted.pictures()[0].pixels.shape(), ElementsAre(52, 36, 3));
}

TEST(Sample, ShowsASmallPreviewOfALargePicture) {
  FakeContext context;
  FakeDevice device;
  auto params = with(with(kShort, "width", 512), "height", 128);
  params["steps"] = 1;
  params["guidance"] = 1.0;
  ASSERT_TRUE(run_node(*make_sample_node(), {{"base", {tiny_base()}}}, params, context, device));
  const auto& png = context.previews.at("0001_seed0");
  const auto side = [&](std::size_t offset) {  // big-endian, in the header chunk
    return std::to_integer<int>(png[offset + 2]) * 256 + std::to_integer<int>(png[offset + 3]);
  };
  EXPECT_EQ(side(16), 256);
  EXPECT_EQ(side(20), 64);
  const std::string bytes(reinterpret_cast<const char*>(png.data()), png.size());
  EXPECT_NE(bytes.find(std::string("Title\0prompt 1, seed 0", 22)), std::string::npos) << "what the report calls it";
}

TEST(Sample, RefusesASizeThatTheBaseDoesNotTake) {
  const auto painted = paint({{"base", {tiny_base()}}}, with(kShort, "width", 42));
  ASSERT_FALSE(painted.outputs);
  EXPECT_EQ(painted.outputs.error().message, "pictures of 42 x 64 px: this base takes multiples of 4 px");
}

TEST(Sample, RefusesATextEncoderLayerThatTheBaseDoesNotHave) {
  LoraSet lora;
  lora.layers["text_encoder_2.text_model.encoder.layers.0.mlp.fc1"] = {normal_tensor({2, 16}, "A"),
                                                                       normal_tensor({64, 2}, "B"), 2};
  const auto painted = paint({{"base", {tiny_base()}}, {"loras", {lora.to_artifact()}}}, kShort);
  ASSERT_FALSE(painted.outputs);
  EXPECT_EQ(painted.outputs.error().message,
            "LoRA layer 'text_encoder_2.text_model.encoder.layers.0.mlp.fc1': the base model has no such layer");
}

TEST(Sample, RefusesALoraOfAnotherArchitecture) {
  LoraSet lora;
  lora.layers[kQuery] = {normal_tensor({4, 320}, "A"), normal_tensor({320, 4}, "B"), 4};
  const auto painted = paint({{"base", {tiny_base()}}, {"loras", {lora.to_artifact()}}}, kShort);
  ASSERT_FALSE(painted.outputs);
  EXPECT_THAT(painted.outputs.error().message, testing::HasSubstr(kQuery));
}

TEST(Sample, TellsAWeightOutsideZeroToOne) {
  const Inputs inputs{{"base", {tiny_base()}}, {"loras", {lora_named("one")}}};
  EXPECT_THAT(paint(inputs, with(kShort, "weights", Value::List{-0.5})).warnings,
              ElementsAre("LoRA 1 has the weight -0.5, outside 0 to 1"));
}

TEST(Sample, StopsWhenAsked) {
  FakeContext context;
  FakeDevice device;
  context.stop_after = 1;
  const auto outputs = run_node(*make_sample_node(), {{"base", {tiny_base()}}}, kShort, context, device);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().kind, ErrorKind::stopped);
}

TEST(Sample, WantsEitherAModelOrABase) {
  const auto node = make_sample_node();
  const Params params(node->spec(), kShort);
  EXPECT_THAT(node->check(params, {{"model", 1}}), IsEmpty());
  EXPECT_THAT(node->check(params, {{"base", 1}, {"loras", 2}}), IsEmpty());
  EXPECT_THAT(node->check(params, {}),
              ElementsAre("neither port 'model' nor port 'base' is connected; give a fused model or a base"));
  EXPECT_THAT(node->check(params, {{"model", 1}, {"base", 1}}),
              ElementsAre("ports 'model' and 'base' are both connected; give a fused model or a base, not both"));
  EXPECT_THAT(node->check(params, {{"model", 1}, {"loras", 1}}),
              ElementsAre("port 'loras' goes with 'base'; a fused model has its LoRAs already"));
}

TEST(Sample, WantsAPromptAndASeed) {
  const auto node = make_sample_node();
  const Params params(node->spec(), {{"prompts", Value::List{}}, {"seeds", Value::List{}}});
  EXPECT_THAT(node->check(params, {{"base", 1}}), ElementsAre("param 'prompts' is empty; give at least one prompt",
                                                              "param 'seeds' is empty; give at least one seed"));
}

}  // namespace
}  // namespace atelier
