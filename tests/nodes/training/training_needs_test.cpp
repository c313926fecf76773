#include <gtest/gtest.h>

#include "support/tiny_base.h"
#include "training/train_embedding_node.h"
#include "training/train_model_node.h"
#include "training/train_node.h"

namespace atelier {
namespace {

class NeedsOfATraining : public ::testing::Test {
 protected:
  std::uint64_t bytes(const Node& node, const std::map<std::string, Value>& given, std::size_t datasets = 1,
                      std::size_t words = 0) const {
    InputInfo info;
    info.inputs["base"] = {&base};
    info.sources["datasets"] = datasets;
    info.sources["embedding"] = words;
    return node.needs(Params(node.spec(), given), info).device_memory_bytes;
  }
  const Artifact base = tiny_base();
};

TEST_F(NeedsOfATraining, AreNotKnownBeforeTheBaseIs) {
  const auto node = make_train_node();
  EXPECT_EQ(node->needs(Params(node->spec(), {}), {}).device_memory_bytes, 0U);
}

TEST_F(NeedsOfATraining, GrowWithRankRowsAndPhotosAndShrinkWithPrecisionAndRecomputation) {
  const auto node = make_train_node();
  const auto plain = bytes(*node, {});
  EXPECT_GT(plain, 0U);
  EXPECT_GT(bytes(*node, {{"rank", 64}}), plain);
  EXPECT_GT(bytes(*node, {{"conv_rank", 8}}), plain);
  EXPECT_GT(bytes(*node, {{"batch_size", 4}}), plain);
  EXPECT_EQ(bytes(*node, {{"batch_size", 2}}), bytes(*node, {}, 2)) << "a pass holds photos of each dataset";
  EXPECT_LT(bytes(*node, {{"batch_size", 4}, {"micro_batch", 1}}), bytes(*node, {{"batch_size", 4}}));
  EXPECT_GT(bytes(*node, {{"photo_size", 512}}), bytes(*node, {{"photo_size", 256}}));
  EXPECT_GT(bytes(*node, {{"ema_decay", 0.99}}), plain);
  EXPECT_LT(bytes(*node, {{"optimizer", "adafactor"}}), plain);
  EXPECT_LT(bytes(*node, {{"gradient_checkpointing", true}}), plain);
  EXPECT_GT(bytes(*node, {{"gradient_accumulation", 2}}), plain) << "the sum of the gradients before";
  EXPECT_LT(bytes(*node, {{"targets", Value::List{"to_q"}}}), plain);
}

TEST_F(NeedsOfATraining, CountTextEncodersWhereCaptionsAreEncodedInTheTraining) {
  const auto node = make_train_node();
  const auto plain = bytes(*node, {{"precision", "bfloat16"}});
  const auto encodes = bytes(*node, {{"precision", "bfloat16"}, {"caption_dropout", 0.1}});
  const auto with_word = bytes(*node, {{"precision", "bfloat16"}}, 1, /*words=*/1);
  EXPECT_GT(with_word, plain) << "the captions of the second half of pivotal tuning hold a trained word";
  EXPECT_GT(encodes, with_word) << "encoders that stay as they are encode in float32";
}

TEST_F(NeedsOfATraining, AreThoseOfItsMode) {
  const auto lora = make_train_node(), words = make_train_embedding_node(), all = make_train_model_node();
  EXPECT_GT(bytes(*all, {}), bytes(*lora, {}));
  EXPECT_GT(bytes(*lora, {{"train_text_encoder", true}}), bytes(*lora, {}));
  EXPECT_GT(bytes(*words, {{"word", "<sks>"}, {"initializer", "person"}}), 0U);
}

}  // namespace
}  // namespace atelier
