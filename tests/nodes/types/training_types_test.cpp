#include <gtest/gtest.h>

#include "support/memory_files.h"
#include "types/dataset.h"
#include "types/file.h"
#include "types/latents.h"
#include "types/model.h"

namespace atelier {
namespace {

Tensor filled(Tensor::Shape shape, float value) {
  std::int64_t count = 1;
  for (const auto side : shape) count *= side;
  return Tensor::of(std::move(shape), std::vector<float>(static_cast<std::size_t>(count), value));
}

Latents some_latents() {
  const EncodedPhoto photo{"01.jpg",
                           sha256("one"),
                           filled({4, 2, 3}, 0.5f),
                           filled({4, 2, 3}, 0.1f),
                           filled({2, 3}, 1),
                           {600, 800, 4, -2, 512, 640},
                           10,
                           true};
  return {{photo}, {{"a person", {filled({77, 8}, 0.25f), filled({5}, 0.5f)}}}, {2, 225}};
}

Dataset some_dataset() {
  const DatasetItem item{"01.jpg",
                         sha256("one"),
                         filled({4, 2, 3}, 0.5f),
                         filled({4, 2, 3}, 0.1f),
                         filled({2, 3}, 1),
                         "a person",
                         0.7,
                         {600, 800, 4, -2, 512, 640},
                         10,
                         true,
                         filled({2, 3}, 0.5f)};
  return {{item}, {{"a person", {filled({77, 8}, 0.25f), filled({5}, 0.5f)}}}, 3, 0.1, true, {2, 225}};
}

LoraSet some_lora(float value) {
  LoraSet lora;
  lora.layers["up.to_q"] = {filled({2, 5}, value), filled({3, 2}, value), 0.3};
  lora.layers["up.conv"] = {filled({2, 5, 3, 3}, value), filled({3, 2}, value), 2};
  lora.base = sha256("base");
  lora.facts = {{"steps", 60}};
  return lora;
}

Model some_model() {
  Model model;
  model.files = {{"unet/config.json", sha256("unet"), "/models/base/unet/config.json", 12}};
  model.loras = {{some_lora(1), 0.6}, {some_lora(2), 0.9}};
  return model;
}

TEST(LatentsArtifact, ReadsBackAsItWasWritten) {
  const auto artifact = some_latents().to_artifact();
  const auto back = Latents::from(artifact);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->photos[0].name, "01.jpg");
  EXPECT_EQ(back->photos[0].photo, sha256("one"));
  EXPECT_EQ(back->photos[0].sizes, (PhotoSizes{600, 800, 4, -2, 512, 640}));
  EXPECT_EQ(back->photos[0].repeats, 10);
  EXPECT_TRUE(back->photos[0].mirrored);
  EXPECT_EQ(back->texts.at("a person").pooled->shape(), (Tensor::Shape{5}));
  EXPECT_EQ(back->text_settings, (TextSettings{2, 225}));
  EXPECT_EQ(digest_of(back->to_artifact()), digest_of(artifact));
}

TEST(LatentsArtifact, WithoutATensorIsAFaultThatNamesIt) {
  auto artifact = some_latents().to_artifact();
  artifact.tensors.erase("photo/00000/deviation");
  const auto back = Latents::from(artifact);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().kind, ErrorKind::fault);
  EXPECT_EQ(back.error().message, "latents: the tensor 'photo/00000/deviation' is missing");
  EXPECT_EQ(make_latents_type()->validate(artifact), back.error().message);
}

TEST(LatentsArtifact, CannotBeAnOutput) {
  EXPECT_EQ(make_latents_type()->check_output_path("a/latents/"),
            "latents stay in the cache and cannot be an output: give model, lora, pictures, images, masks or captions");
}

TEST(DatasetArtifact, ReadsBackAsItWasWritten) {
  const auto artifact = some_dataset().to_artifact();
  const auto back = Dataset::from(artifact);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->repeats, 3);
  EXPECT_EQ(back->share, 0.1);
  EXPECT_TRUE(back->customer);
  EXPECT_EQ(back->items[0].weight, 0.7);
  EXPECT_EQ(back->items[0].sizes, (PhotoSizes{600, 800, 4, -2, 512, 640}));
  EXPECT_EQ(back->items[0].repeats, 10);
  EXPECT_TRUE(back->items[0].mirrored);
  EXPECT_EQ(back->items[0].validity->values<float>()[0], 0.5f);
  EXPECT_TRUE(back->texts.at("a person").pooled.has_value());
  EXPECT_EQ(back->text_settings, (TextSettings{2, 225}));
  EXPECT_EQ(digest_of(back->to_artifact()), digest_of(artifact));
}

TEST(DatasetArtifact, NeedsTheStatesOfAllCaptionsOrOfNone) {
  auto dataset = some_dataset();
  dataset.texts.clear();
  EXPECT_EQ(make_dataset_type()->validate(dataset.to_artifact()), "");
  dataset.texts["another"] = {filled({77, 8}, 0.25f)};
  EXPECT_EQ(make_dataset_type()->validate(dataset.to_artifact()),
            "dataset: the caption of '01.jpg' has no hidden states");
}

TEST(DatasetArtifact, RefusesMasksOfAnotherSizeThanTheLatents) {
  auto artifact = some_dataset().to_artifact();
  artifact.tensors["item/00000/mask"] = filled({3, 2}, 1);
  EXPECT_EQ(make_dataset_type()->validate(artifact), "dataset: the tensors of '01.jpg' differ in size");
}

TEST(LoraArtifact, ReadsBackAsItWasWritten) {
  const auto artifact = some_lora(1).to_artifact();
  const auto back = LoraSet::from(artifact);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->layers.at("up.to_q").alpha, 0.3);
  EXPECT_EQ(back->base, sha256("base"));
  EXPECT_EQ(digest_of(back->to_artifact()), digest_of(artifact));
}

TEST(LoraArtifact, RefusesFactorsThatDoNotFitTogether) {
  auto artifact = some_lora(1).to_artifact();
  artifact.tensors["up.to_q.B"] = filled({3, 4}, 1);
  const auto back = LoraSet::from(artifact);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().message, "lora: the factors of the layer 'up.to_q' do not fit together: A [2, 5], B [3, 4]");
}

TEST(ModelArtifact, ReadsBackAsItWasWrittenWithItsLoras) {
  const auto artifact = some_model().to_artifact();
  const auto back = Model::from(artifact);
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->loras.size(), 2u);
  EXPECT_EQ(back->loras[1].weight, 0.9);
  EXPECT_EQ(digest_of(back->to_artifact()), digest_of(artifact));
}

TEST(ModelArtifact, KeepsTheRuleOfAMergeAndIsAnotherModelByIt) {
  auto model = some_model();
  const auto plain = digest_of(model.to_artifact());
  model.merge = MergeRule{.method = "dare", .density = 0.3, .seed = 7, .blocks = {"mid=0.5", ""}};
  const auto artifact = model.to_artifact();
  const auto back = Model::from(artifact);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->merge->method, "dare");
  EXPECT_EQ(back->merge->density, 0.3);
  EXPECT_EQ(back->merge->seed, 7);
  EXPECT_EQ(back->merge->blocks, (std::vector<std::string>{"mid=0.5", ""}));
  EXPECT_EQ(digest_of(back->to_artifact()), digest_of(artifact));
  EXPECT_NE(digest_of(artifact), plain);
  EXPECT_EQ(base_digest(model), base_digest(some_model()));
}

TEST(ModelArtifact, WithBlocksForAnotherNumberOfLorasIsAFault) {
  auto model = some_model();
  model.merge = MergeRule{.method = "ties", .density = 0.3, .seed = 0, .blocks = {"mid=0.5"}};
  const auto back = Model::from(model.to_artifact());
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().kind, ErrorKind::fault);
  EXPECT_EQ(back.error().message, "merge: there must be weights of blocks for each LoRA");
}

TEST(ModelArtifact, KeepsTheWeightsThatATrainingChangedAndIsAnotherBaseByThem) {
  auto model = some_model();
  const auto plain = base_digest(model);
  model.changed = ChangedWeights::of({{"unet", {{"conv_in.weight", filled({2, 2}, 1)}}}});
  const auto back = Model::from(model.to_artifact());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->changed->parts.at("unet").at("conv_in.weight").values<float>()[0], 1);
  EXPECT_EQ(back->loras.size(), 2u);
  EXPECT_NE(base_digest(model), plain);
  EXPECT_EQ(base_digest(*back), base_digest(model));
  model.changed = ChangedWeights::of({{"unet", {{"conv_in.weight", filled({2, 2}, 2)}}}});
  EXPECT_NE(base_digest(*back), base_digest(model));
}

TEST(ModelArtifact, HasTheDigestOfItsContentWhereverTheFilesLie) {
  auto here = some_model(), there = some_model();
  there.files[0].path = "/elsewhere/unet/config.json";
  EXPECT_EQ(digest_of(here.to_artifact()), digest_of(there.to_artifact()));
  there.loras[0].weight = 0.61;
  EXPECT_NE(digest_of(here.to_artifact()), digest_of(there.to_artifact()));
  EXPECT_EQ(base_digest(here), base_digest(there));
}

TEST(FileArtifact, IsCopiedToItsOutput) {
  MemoryFiles files;
  files.put("/in/a.txt", "hello");
  ASSERT_TRUE(files.make_folders("/out"));
  const auto type = make_file_type(files);
  const auto opened = type->open_input("/in/a.txt", [](const auto&) { return sha256("hello"); });
  ASSERT_TRUE(opened);
  ASSERT_TRUE(type->write(*opened, "/out/b.txt", "b.txt"));
  EXPECT_EQ(files.text("/out/b.txt"), "hello");
}

TEST(FileArtifact, ThatIsMissingIsToldWithItsPath) {
  MemoryFiles files;
  const auto opened = make_file_type(files)->open_input("/in/a.txt", [](const auto&) { return sha256("hello"); });
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "/in/a.txt: a file was expected here");
}

TEST(MetricsArtifact, IsWrittenAsSortedJson) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folders("/out"));
  Artifact artifact;
  artifact.metadata = {{"loss", {0.5, 0.25}}, {"angle", 1}};
  ASSERT_TRUE(make_metrics_type(files)->write(artifact, "/out/m.json", "m.json"));
  EXPECT_EQ(files.text("/out/m.json"), "{\n  \"angle\": 1,\n  \"loss\": [\n    0.5,\n    0.25\n  ]\n}\n");
}

TEST(MetricsArtifact, RefusesWhatIsNoNumber) {
  MemoryFiles files;
  Artifact artifact;
  artifact.metadata = {{"loss", "low"}};
  EXPECT_EQ(make_metrics_type(files)->validate(artifact), "metrics: 'loss' is no number and no list of numbers");
}

}  // namespace
}  // namespace atelier
