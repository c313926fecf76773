#include "diffusion/tokenizer.h"

#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/text_pieces.h"
#include "golden_unet.h"
#include "goldens.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

const fs::path kSource = ATELIER_SOURCE_DIR;
const fs::path kClip = kSource / "models/clip-tokenizer";
const fs::path kTiny = kSource / "tests/golden/sd1_tiny/model/tokenizer";

TEST(ClipPieces, CutsAtContractionsDigitsAndPunctuation) {
  EXPECT_THAT(clip_pieces("  O'Brien's  (1.25) it's"),
              ElementsAre("o", "'", "brien", "'s", "(", "1", ".", "2", "5", ")", "it", "'s"));
  EXPECT_THAT(clip_pieces(" \t\r\n\u3000"), IsEmpty());
}

TEST(ClipPieces, ComposesAndLowersLetterByLetter) {
  EXPECT_THAT(clip_pieces("CAFE\u0301 ΑΣ İ"), ElementsAre("café", "ασ", "i", "\u0307"));
}

TEST(ClipPieces, KeepsASpecialWordThatOnlyLowerCasingMadeInItsParts) {
  EXPECT_THAT(clip_pieces("<|EndOfText|>!"), ElementsAre("<|", "endoftext", "|>", "!"));
}

TEST(ClipPieces, CountsBytesThatAreNotUtf8AsReplacementCharacters) {
  EXPECT_THAT(clip_pieces("a\xff"
                          "b"),
              ElementsAre("a", "\uFFFD", "b"));
}

TEST(ClipTokenizer, GivesThePublishedIdsWithTheVocabularyThatShips) {
  const auto clip = must(ClipTokenizer::open(kClip));
  EXPECT_EQ(clip.vocabulary_size(), 49408u);
  EXPECT_THAT(clip.encode("a photo of sks, woman"), ElementsAre(320, 1125, 539, 48136, 267, 2308));
  EXPECT_THAT(clip.encode("a <|endoftext|> b"), ElementsAre(320, 49407, 321));
  EXPECT_THAT(clip.encode("…"), ElementsAre(959));
  EXPECT_THAT(clip.encode(""), IsEmpty());
}

TEST(ClipTokenizer, PadsAndTruncatesTo77AndTellsHowMuchItLeftOut) {
  const auto clip = must(ClipTokenizer::open(kClip));
  const auto empty = clip.encode_padded("");
  ASSERT_EQ(empty.size(), 77u);
  EXPECT_EQ(empty[0], 49406);
  EXPECT_THAT(std::vector<int64_t>(empty.begin() + 1, empty.end()), testing::Each(49407));
  std::string words;
  for (int i = 0; i < 100; ++i) words += "word ";
  const auto full = clip.encode_padded(words);
  ASSERT_EQ(full.size(), 77u);
  EXPECT_EQ(full[75], 2653);
  EXPECT_EQ(full[76], 49407);
  EXPECT_EQ(clip.truncated(words), 25u);
  EXPECT_EQ(clip.truncated("word"), 0u);
  const std::vector<std::string> both{"", words};
  const auto batch = clip.encode_batch(both);
  EXPECT_EQ(shape_text(batch.sizes()), "[2, 77]");
  EXPECT_EQ(batch[1][75].item<int64_t>(), 2653);
}

TEST(ClipTokenizer, TakesALongWordInGoodTime) {
  const auto clip = must(ClipTokenizer::open(kClip));
  EXPECT_EQ(clip.encode(std::string(200'000, 'x')).size(), 50'000u);
}

class TokenizerFiles : public testing::Test {
 protected:
  void SetUp() override { fs::copy(kTiny, at, fs::copy_options::recursive); }
  void configure(const std::string& key, const nlohmann::json& value) {
    auto json = read_json(at / "tokenizer_config.json");
    json[key] = value;
    test::put_bytes(at / "tokenizer_config.json", json.dump());
  }
  std::string error() {
    const auto opened = ClipTokenizer::open(at);
    return opened ? "" : opened.error().message.substr(at.string().size());
  }
  test::TemporaryFolder folder;
  const fs::path at = folder / "tokenizer";
};

TEST_F(TokenizerFiles, ReadTheTokensOfOldAndNewConfigurations) {
  configure("pad_token", {{"__type", "AddedToken"}, {"content", "!"}});
  configure("added_tokens_decoder", {{"0", {{"content", "!"}}}});
  const auto tokenizer = must(ClipTokenizer::open(at));
  EXPECT_EQ(tokenizer.encode_padded("")[2], 0);
  EXPECT_THAT(tokenizer.encode("!"), ElementsAre(0)) << "a padding token in the text is a special token";
  fs::remove(at / "tokenizer_config.json");
  EXPECT_EQ(must(ClipTokenizer::open(at)).encode_padded("")[2], 599);
}

TEST_F(TokenizerFiles, AreRefusedWhereTheyAreNotClips) {
  configure("pad_token", "<pad>");
  EXPECT_EQ(error(), "/tokenizer_config.json: 'pad_token' is '<pad>', which vocab.json does not have");
  configure("pad_token", "!");
  configure("model_max_length", 2);
  EXPECT_EQ(error(), "/tokenizer_config.json: 'model_max_length' is 2, expected at least 3");
  configure("model_max_length", 1e30);
  EXPECT_EQ(error(), "");
  configure("added_tokens_decoder", {{"600", {{"content", "<my-concept>"}}}});
  EXPECT_EQ(error(), ": adds the token '<my-concept>' to CLIP's vocabulary; added tokens are not supported");
}

TEST_F(TokenizerFiles, AreRefusedWhereVocabularyAndMergesDoNotFit) {
  test::put_bytes(at / "merges.txt", "#version: 0.2\ni n\nnonsense\n");
  EXPECT_EQ(error(), "/merges.txt:3: 'nonsense' is not a merge of two entries of vocab.json");
  fs::remove(at / "merges.txt");
  EXPECT_EQ(error(), "/merges.txt: cannot be opened");
  test::put_bytes(at / "vocab.json", R"({"a": -1})");
  EXPECT_EQ(error(), "/vocab.json: the id of 'a' is -1, expected a number");
  test::put_bytes(at / "vocab.json", R"({"a": 1})");
  EXPECT_EQ(error(), "/vocab.json: byte 0 has no entry; this is not CLIP's vocabulary");
  test::put_bytes(at / "vocab.json", "[]");
  EXPECT_EQ(error(), "/vocab.json: is not a JSON object");
}

TEST(PythonTokenizer, AgreesWithTransformersOnRandomStrings) {
  ATELIER_REQUIRE_VENV();
  const test::TemporaryFolder folder;
  ASSERT_TRUE(test::run_python("tokens_of_transformers.py", {kClip, folder / "ids.json"}));
  const auto clip = must(ClipTokenizer::open(kClip));
  const auto rows = read_json(folder / "ids.json");
  ASSERT_EQ(rows.size(), 3000u);
  for (const auto& row : rows) {
    const auto text = row[0].get<std::string>();
    ASSERT_EQ(clip.encode(text), row[1].get<std::vector<int64_t>>()) << row[0].dump(-1, ' ', true);
  }
}

}  // namespace
}  // namespace atelier::diffusion
