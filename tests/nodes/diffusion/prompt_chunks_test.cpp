#include "diffusion/prompt_chunks.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "golden_unet.h"

namespace atelier::diffusion {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr int64_t kStart = 49406, kEnd = 49407, kComma = 267, kWord = 2653, kCat = 2368;
constexpr std::size_t kRoom = 75;

const ClipTokenizer& clip() {
  static const auto tokenizer = must(ClipTokenizer::open(std::string(ATELIER_SOURCE_DIR) + "/models/clip-tokenizer"));
  return tokenizer;
}
const ClipTokenizer& open_clip() {
  static const auto tokenizer =
      must(ClipTokenizer::open(std::string(ATELIER_SOURCE_DIR) + "/models/clip-tokenizer", 0));
  return tokenizer;
}

std::vector<PromptChunk> chunks(const std::string& prompt, std::span<const PromptWord> words = {}) {
  return must(prompt_chunks(must(parse_prompt(prompt)), clip(), words));
}

/// What stands between the chunk's start and its end.
std::vector<int64_t> inner(const PromptChunk& chunk) {
  EXPECT_EQ(chunk.ids.size(), kRoom + 2);
  EXPECT_EQ(chunk.ids.front(), kStart);
  return {chunk.ids.begin() + 1, std::find(chunk.ids.begin(), chunk.ids.end(), kEnd)};
}

std::string times(std::size_t count, const std::string& word) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += word + " ";
  return text;
}
std::vector<int64_t> ids(std::size_t count, int64_t id) { return std::vector<int64_t>(count, id); }

TEST(PromptChunks, OfAPlainPromptAreTheTokenizersIds) {
  for (const std::string prompt : {"", "a photo of sks, woman", "it's 3:2"}) {
    const auto all = chunks(prompt);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].ids, clip().encode_padded(prompt));
    EXPECT_THAT(all[0].weights, Each(1.0f));
    EXPECT_EQ(all[0].weights.size(), 77u);
  }
  EXPECT_EQ(must(prompt_chunks(literal_prompt("a (cat)"), clip()))[0].ids, clip().encode_padded("a (cat)"));
}

TEST(PromptChunks, AreFilledWithTheTokenizersPadding) {
  const auto all = must(prompt_chunks(must(parse_prompt("cat BREAK cat")), open_clip()));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].ids, open_clip().encode_padded("cat"));
  EXPECT_EQ(all[1].ids, all[0].ids);
  EXPECT_EQ(empty_chunk(open_clip()).ids, open_clip().encode_padded(""));
  EXPECT_THAT(empty_chunk(open_clip()).weights, Each(1.0f));
}

TEST(PromptChunks, GiveEachTokenItsPartsWeightAndTheRestOne) {
  const auto all = chunks("cat (word word:1.5) [cat]");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(inner(all[0]), ElementsAre(kCat, kWord, kWord, kCat));
  EXPECT_THAT(std::vector<float>(all[0].weights.begin(), all[0].weights.begin() + 7),
              ElementsAre(1, 1, 1.5f, 1.5f, testing::FloatEq(1 / 1.1f), 1, 1));
}

TEST(PromptChunks, HoldSeventyFiveTokensEach) {
  EXPECT_EQ(chunks(times(75, "word")).size(), 1u);
  const auto all = chunks(times(75, "word") + "cat");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(inner(all[0]), ids(75, kWord));
  EXPECT_EQ(all[0].ids.back(), kEnd);
  EXPECT_EQ(all[1].ids, clip().encode_padded("cat"));
  EXPECT_EQ(chunks(times(151, "word")).size(), 3u);
}

TEST(PromptChunks, EndAtBreak) {
  const auto all = chunks("word BREAK (cat:2) BREAK BREAK word BREAK");
  ASSERT_EQ(all.size(), 4u);
  EXPECT_THAT(inner(all[0]), ElementsAre(kWord));
  EXPECT_THAT(inner(all[1]), ElementsAre(kCat));
  EXPECT_EQ(all[1].weights[1], 2.0f);
  EXPECT_EQ(all[2], empty_chunk(clip()));
  EXPECT_THAT(inner(all[3]), ElementsAre(kWord)) << "a BREAK at the end begins no chunk";
  EXPECT_EQ(chunks("BREAK cat").size(), 2u);
  EXPECT_EQ(chunks(times(75, "word") + "BREAK cat").size(), 2u) << "a full chunk is not followed by an empty one";
}

// 60 words, a comma, 14 words: the chunk is full; the comma is the 15th token from its end.
TEST(PromptChunks, EndBehindACommaThatIsNear) {
  const auto all = chunks(times(60, "word") + ", " + times(14, "cat") + "(word:2)");
  ASSERT_EQ(all.size(), 2u);
  auto first = ids(60, kWord), second = ids(14, kCat);
  first.push_back(kComma);
  second.push_back(kWord);
  EXPECT_EQ(inner(all[0]), first);
  EXPECT_EQ(inner(all[1]), second);
  EXPECT_EQ(all[1].weights[14], 1.0f);
  EXPECT_EQ(all[1].weights[15], 2.0f);
}

TEST(PromptChunks, EndBehindTheLastOfSeveralCommas) {
  const auto all = chunks(times(60, "word") + ", " + times(10, "cat") + ", " + times(3, "cat") + "word");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(inner(all[0]).size(), 72u);
  EXPECT_THAT(inner(all[1]), ElementsAre(kCat, kCat, kCat, kWord));
}

TEST(PromptChunks, LookBackTwentyTokensForAComma) {
  // The comma is the 20th token from the end, and then the 21st.
  const auto near = chunks(times(55, "word") + ", " + times(20, "cat")),
             far = chunks(times(54, "word") + ", " + times(21, "cat"));
  ASSERT_EQ(near.size(), 2u);
  EXPECT_EQ(inner(near[0]).size(), 56u);
  EXPECT_EQ(inner(near[1]), ids(20, kCat));
  ASSERT_EQ(far.size(), 2u);
  EXPECT_EQ(inner(far[0]).size(), 75u);
  EXPECT_EQ(inner(far[1]), ids(1, kCat));
}

TEST(PromptChunks, BeginWithACommaThatFoundThemFull) {
  const auto all = chunks(times(70, "word") + ", " + times(4, "cat") + ", word");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(inner(all[0]).size(), 75u);
  EXPECT_THAT(inner(all[1]), ElementsAre(kComma, kWord));
}

TEST(PromptChunks, DoNotLookBackWhereTheTextEndsOrBreaks) {
  EXPECT_EQ(inner(chunks(times(60, "word") + ", " + times(14, "cat"))[0]).size(), 75u);
  EXPECT_EQ(inner(chunks(times(60, "word") + ", " + times(14, "cat") + "BREAK cat")[0]).size(), 75u);
}

TEST(PromptChunks, AWordOfItsOwnIsItsVectors) {
  const std::vector<PromptWord> words{{"<sks>", 50000, 2}, {"bad-hands", 50002, 3}};
  const auto all = chunks("word (<sks>:1.5) Bad-Hands, cat", words);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(inner(all[0]), ElementsAre(kWord, 50000, 50001, 50002, 50003, 50004, kComma, kCat));
  EXPECT_THAT(std::vector<float>(all[0].weights.begin(), all[0].weights.begin() + 6),
              ElementsAre(1, 1, 1.5f, 1.5f, 1, 1));
}

TEST(PromptChunks, AWordInAngleBracketsIsFoundByItsText) {
  const std::vector<PromptWord> words{{"<sks>", 50000, 1}};
  EXPECT_THAT(inner(chunks("cat<sks>, <SKS>!", words)[0]), ElementsAre(kCat, 50000, kComma, 50000, 256));
  EXPECT_EQ(inner(chunks("sks <sk", words)[0]), clip().encode("sks <sk"));
}

TEST(PromptChunks, AWordIsNotFoundWithinAnother) {
  const std::vector<PromptWord> words{{"cat", 50000, 1}};
  EXPECT_THAT(inner(chunks("cat", words)[0]), ElementsAre(50000));
  EXPECT_EQ(inner(chunks("category cats", words)[0]), clip().encode("category cats"));
}

TEST(PromptChunks, TheLongestWordCounts) {
  const std::vector<PromptWord> words{{"cat", 50000, 1}, {"cat word", 50001, 1}, {"<a", 7, 1}, {"<a>", 50002, 1}};
  EXPECT_THAT(inner(chunks("cat word cat <a>", words)[0]), ElementsAre(50001, 50000, 50002));
}

TEST(PromptChunks, NeverSplitAWordsVectors) {
  const std::vector<PromptWord> words{{"<sks>", 50000, 10}};
  const auto full = chunks(times(65, "word") + "<sks>", words);
  ASSERT_EQ(full.size(), 1u);
  const auto all = chunks(times(66, "word") + "<sks> cat", words);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(inner(all[0]), ids(66, kWord));
  EXPECT_THAT(inner(all[1]), ElementsAre(50000, 50001, 50002, 50003, 50004, 50005, 50006, 50007, 50008, 50009, kCat));
}

TEST(PromptChunks, MoveAWordOnWholeBehindAComma) {
  const std::vector<PromptWord> words{{"<sks>", 50000, 3}};
  const auto all = chunks(times(71, "word") + ", <sks> cat", words);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_THAT(inner(all[1]), ElementsAre(50000, 50001, 50002, kCat));
}

TEST(PromptChunks, AWordOfMoreVectorsThanAChunkHoldsIsToldOf) {
  const std::vector<PromptWord> words{{"<sks>", 50000, 75}, {"big", 60000, 76}};
  const auto wrong = prompt_chunks(literal_prompt("cat"), clip(), words);
  EXPECT_EQ(wrong ? "" : wrong.error().message, "the embedding 'big' has 76 vectors, a chunk of a prompt holds 75");
  EXPECT_EQ(chunks("<sks>", std::span(words).first(1)).size(), 1u);
}

TEST(PromptChunks, GiveALiteralTextsIdsWithItsWords) {
  const std::vector<PromptWord> words{{"<sks>", 50000, 2}};
  EXPECT_THAT(ids_with_words("(<sks>) cat", clip(), words), ElementsAre(263, 50000, 50001, 264, kCat));
  EXPECT_EQ(ids_with_words("a cat", clip(), {}), clip().encode("a cat"));
}

}  // namespace
}  // namespace atelier::diffusion
