#include "training/train_embedding_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/tensors.h"
#include "train_case.h"
#include "types/embedding.h"

namespace atelier {
namespace {

using testing::ElementsAre;

const std::map<std::string, Value> kWord{
    {"word", "<sks>"},       {"initializer", "person"}, {"vectors", 2},          {"steps", 4},
    {"learning_rate", 1e-2}, {"schedule", "constant"},  {"checkpoint_every", 2}, {"weight_decay", 0.0}};

std::vector<Dataset> about(const std::string& caption) {
  auto dataset = tiny_dataset({"a.png", "b.png"});
  dataset.texts.clear();
  for (auto& item : dataset.items) item.caption = caption;
  return {dataset};
}

Expected<Outputs> train_word(const std::vector<Dataset>& datasets, const std::map<std::string, Value>& params,
                             FakeContext& context) {
  FakeDevice device;
  return run_node(*make_train_embedding_node(), inputs_of(datasets), params, context, device);
}

TEST(TrainEmbedding, StartsFromTheInitializersTokensAndMovesTheirVectors) {
  auto params = kWord;
  params["learning_rate"] = 0.0;
  FakeContext still, moving;
  const auto unmoved = train_word(about("a photo of <sks>"), params, still);
  ASSERT_TRUE(unmoved) << unmoved.error().message;
  const auto start = *WordVectors::from(unmoved->at("embedding"));
  EXPECT_EQ(start.word, "<sks>");
  EXPECT_EQ(start.base, base_digest(*Model::from(tiny_base())));
  ASSERT_EQ(start.vectors.size(), 1u);
  EXPECT_THAT(start.vectors[0].shape(), ElementsAre(2, kTinyWidth));

  const auto model = *Model::from(tiny_base());
  FakeDevice device;
  const auto encoders = *resident_text_encoders(model, device);
  const auto ids = (*encoders)[0].tokenizer->encode("person");
  const auto table = weights_of(model, *open_base(model), diffusion::ModelPart::text_encoder)
                         ->at("text_model.embeddings.token_embedding.weight")
                         .to(at::kFloat);
  const auto rows = as_torch(start.vectors[0]);
  EXPECT_TRUE(at::equal(rows[0], table[ids[0]]));
  EXPECT_TRUE(at::equal(rows[1], table[ids[1 % ids.size()]]));

  const auto moved = train_word(about("a photo of <sks>"), kWord, moving);
  ASSERT_TRUE(moved) << moved.error().message;
  const auto learned = as_torch(WordVectors::from(moved->at("embedding"))->vectors[0]);
  EXPECT_GT((learned - rows).abs().max().item<double>(), 1e-3);
}

TEST(TrainEmbedding, GoesOnToTheBitFromACheckpoint) {
  FakeContext whole, again;
  const auto outputs = train_word(about("a photo of <sks>"), kWord, whole);
  ASSERT_TRUE(outputs) << outputs.error().message;
  ASSERT_EQ(whole.saved.size(), 1u);
  again.checkpoint = whole.saved[0];
  EXPECT_EQ(digest_of(train_word(about("a photo of <sks>"), kWord, again)->at("embedding")),
            digest_of(outputs->at("embedding")));
}

TEST(TrainEmbedding, WantsTheWordInACaption) {
  FakeContext context;
  const auto outputs = train_word(about("a photo of a person"), kWord, context);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().message,
            "no caption holds the word '<sks>'; put it into them, as split_captions does with a trigger");
}

TEST(TrainEmbedding, TellsCaptionsWithoutTheWord) {
  auto datasets = about("a photo of <sks>");
  datasets[0].items[1].caption = "somebody";
  FakeContext context;
  ASSERT_TRUE(train_word(datasets, kWord, context));
  EXPECT_THAT(context.warnings, ElementsAre("1 of 2 captions do not hold the word '<sks>'"));
}

TEST(TrainEmbedding, RefusesAnInitializerWithoutTokens) {
  auto params = kWord;
  params["initializer"] = "";
  FakeContext context;
  const auto outputs = train_word(about("a photo of <sks>"), params, context);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().message, "param 'initializer' is empty; give a word that is near to the new one: person");
}

// Pivotal tuning: a word first, then a LoRA that is trained with it.
TEST(Pivotal, TrainsALoraWithTheWordAsItIsAndGoesOnToTheBit) {
  FakeContext first;
  const auto word = train_word(about("a photo of <sks>"), kWord, first)->at("embedding");
  auto inputs = inputs_of(about("a photo of <sks>"));
  const std::map<std::string, Value> params{
      {"rank", 2}, {"steps", 4}, {"learning_rate", 1e-3}, {"checkpoint_every", 2}};
  const auto lora = [&](bool with_word, std::optional<Artifact> checkpoint, FakeContext& context) {
    inputs.erase("embedding");
    if (with_word) inputs["embedding"] = {word};
    context.checkpoint = std::move(checkpoint);
    FakeDevice device;
    const auto outputs = run_node(*make_train_node(), inputs, params, context, device);
    if (!outputs) throw Fault(outputs.error().message);
    return digest_of(outputs->at("lora"));
  };
  FakeContext whole, again, without;
  const auto expected = lora(true, {}, whole);
  EXPECT_EQ(lora(true, whole.saved.at(0), again), expected);
  EXPECT_NE(lora(false, {}, without), expected);  // there `<sks>` is but its tokens
}

}  // namespace
}  // namespace atelier
