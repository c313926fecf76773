#include "diffusion/tokenizer_json.h"

#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/tokenizer.h"
#include "golden_unet.h"
#include "goldens.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;

const fs::path kSource = ATELIER_SOURCE_DIR;
const fs::path kClip = kSource / "models/clip-tokenizer";
const fs::path kTiny = kSource / "tests/golden/sd1_tiny/model/tokenizer";
constexpr std::string_view kPieces = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

/// The tiny tokenizer as transformers' fast one saves it.
class FastTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    saved["added_tokens"] = {{{"id", 598}, {"content", "<|startoftext|>"}},
                             {{"id", 599}, {"content", "<|endoftext|>"}}};
    saved["normalizer"] = {{"type", "Sequence"},
                           {"normalizers",
                            {{{"type", "NFC"}},
                             {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}},
                             {{"type", "Lowercase"}}}}};
    saved["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"}, {"pattern", {{"Regex", kPieces}}}, {"behavior", "Removed"}, {"invert", true}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}}}};
    saved["post_processor"] = {{"type", "RobertaProcessing"}, {"sep", {"<|endoftext|>", 599}}};
    saved["model"] = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", "<|endoftext|>"},
                      {"continuing_subword_prefix", ""},
                      {"end_of_word_suffix", "</w>"},
                      {"vocab", read_json(kTiny / "vocab.json")},
                      {"merges", json::array()}};
    std::ifstream merges(kTiny / "merges.txt");
    for (std::string line; std::getline(merges, line);) {
      if (!line.empty() && !line.starts_with("#")) saved["model"]["merges"].push_back(line);
    }
  }
  Result<ClipTokenizer> opened() {
    test::put_bytes(folder / "tokenizer.json", saved.dump());
    return ClipTokenizer::open(folder.path());
  }
  std::string error() {
    const auto tokenizer = opened();
    return tokenizer ? "" : tokenizer.error().message.substr(folder.path().string().size());
  }
  void merges_as_pairs() {
    for (json& merge : saved["model"]["merges"]) {
      const auto text = merge.get<std::string>();
      merge = {text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)};
    }
  }
  test::TemporaryFolder folder;
  json saved;
};

const std::string kText = "A photo of sks's cat, 3 <|endoftext|> in the (thing)";

TEST_F(FastTokenizer, GivesWhatVocabularyAndMergesGive) {
  const auto plain = must(ClipTokenizer::open(kTiny));
  EXPECT_EQ(must(opened()).encode_padded(kText), plain.encode_padded(kText));
  merges_as_pairs();
  const auto tokenizer = must(opened());
  EXPECT_EQ(tokenizer.encode_padded(kText), plain.encode_padded(kText));
  EXPECT_EQ(tokenizer.vocabulary_size(), plain.vocabulary_size());
}

TEST_F(FastTokenizer, IsNotLookedAtBesideAVocabulary) {
  fs::copy(kTiny / "vocab.json", folder / "vocab.json");
  fs::copy(kTiny / "merges.txt", folder / "merges.txt");
  saved["normalizer"] = nullptr;
  EXPECT_EQ(error(), "");
}

TEST_F(FastTokenizer, TakesThePatternWithTheSpecialWordsToo) {
  saved["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] =
      R"(<\|startoftext\|>|<\|endoftext\|>|)" + std::string(kPieces);
  EXPECT_EQ(error(), "");
}

TEST_F(FastTokenizer, IsRefusedWhereItNormalizesOtherwise) {
  saved["normalizer"]["normalizers"].erase(2);
  EXPECT_EQ(
      error(),
      R"(/tokenizer.json: 'normalizer' is {"normalizers":[{"type":"NFC"},{"content":" ","pattern":{"Regex":"\\s+"},)"
      R"("type":"Replace"}],"type":"Sequence"}, which is not CLIP's; other tokenizers are not supported)");
  saved["normalizer"] = nullptr;
  EXPECT_EQ(error(), "/tokenizer.json: 'normalizer' is null, which is not CLIP's; other tokenizers are not supported");
}

TEST_F(FastTokenizer, IsRefusedWhereItCutsOtherwise) {
  saved["pre_tokenizer"] = {{"type", "Whitespace"}};
  EXPECT_EQ(error(), R"(/tokenizer.json: 'pre_tokenizer' is {"type":"Whitespace"}, which is not CLIP's; other )"
                     "tokenizers are not supported");
}

TEST_F(FastTokenizer, IsRefusedWhereItPutsOtherTokensAround) {
  saved["post_processor"] = {{"type", "BertProcessing"}};
  EXPECT_EQ(error(), R"(/tokenizer.json: 'post_processor' is {"type":"BertProcessing"}, which is not CLIP's; other )"
                     "tokenizers are not supported");
}

TEST_F(FastTokenizer, IsRefusedWhereItsModelIsAnother) {
  saved["model"]["end_of_word_suffix"] = nullptr;
  EXPECT_EQ(error(),
            "/tokenizer.json: 'model.end_of_word_suffix' is null, which is not CLIP's; other tokenizers are "
            "not supported");
  saved["model"]["type"] = "WordPiece";
  EXPECT_EQ(error(),
            "/tokenizer.json: 'model.type' is \"WordPiece\", which is not CLIP's; other tokenizers are not supported");
  saved["model"].erase("merges");
  EXPECT_EQ(error(), "/tokenizer.json: 'model' has no vocabulary and merges");
}

TEST_F(FastTokenizer, IsRefusedWhereItsMergesDoNotFit) {
  saved["model"]["merges"].push_back("nonsense");
  EXPECT_EQ(error(), "/tokenizer.json: \"nonsense\" is not a merge");
  saved["model"]["merges"].back() = {"non", "sense"};
  EXPECT_EQ(error(), "/tokenizer.json: 'non sense' is not a merge of two entries of its vocabulary");
  saved["model"]["vocab"] = {{"a", "b"}};
  EXPECT_EQ(error(), "/tokenizer.json: the id of 'a' is \"b\", expected a number");
}

TEST_F(FastTokenizer, IsRefusedWhereItAddsTokens) {
  saved["added_tokens"].push_back({{"id", 600}, {"content", "<my-concept>"}});
  EXPECT_EQ(error(), ": adds the token '<my-concept>' to CLIP's vocabulary; added tokens are not supported");
  saved["added_tokens"].back() = 3;
  EXPECT_EQ(error(), "/tokenizer.json: 'added_tokens' holds 3, expected tokens with their 'content'");
  saved.erase("added_tokens");
  EXPECT_EQ(error(), "");
}

TEST_F(FastTokenizer, NamesItsFileWhereASpecialTokenIsMissing) {
  test::put_bytes(folder / "tokenizer_config.json", R"({"pad_token": "<pad>"})");
  EXPECT_EQ(error(), "/tokenizer_config.json: 'pad_token' is '<pad>', which tokenizer.json does not have");
}

class Padding : public testing::Test {
 protected:
  void SetUp() override { fs::copy(kTiny, folder.path(), fs::copy_options::recursive); }
  /// `json` as the configuration and `map` as the special tokens' map; empty: without.
  int64_t padding_with(const std::string& config, const std::string& map) {
    for (const auto& [name, text] : {std::pair{"tokenizer_config.json", config}, {"special_tokens_map.json", map}}) {
      fs::remove(folder / name);
      if (!text.empty()) test::put_bytes(folder / name, text);
    }
    const auto tokenizer = must(ClipTokenizer::open(folder.path()));
    EXPECT_EQ(tokenizer.encode_padded("a").back(), tokenizer.padding_id());
    return tokenizer.padding_id();
  }
  test::TemporaryFolder folder;
};

TEST_F(Padding, IsTheEndTokenUnlessAFileSaysOtherwise) {
  EXPECT_EQ(padding_with("", ""), 599);
  EXPECT_EQ(padding_with(R"({"pad_token": null})", "{}"), 599);
}

TEST_F(Padding, IsReadFromEitherFileAsTextOrAsAnObject) {
  EXPECT_EQ(padding_with(R"({"pad_token": "!"})", ""), 0);
  EXPECT_EQ(padding_with("", R"({"pad_token": "!"})"), 0);
  EXPECT_EQ(padding_with("", R"({"pad_token": {"content": "!", "lstrip": false}})"), 0);
}

TEST_F(Padding, IsTheMapsAsInSd2sPublishedFolderUnlessTheConfigurationListsItsTokens) {
  EXPECT_EQ(padding_with(R"({"pad_token": "<|endoftext|>"})", R"({"pad_token": "!"})"), 0);
  EXPECT_EQ(padding_with(R"({"pad_token": "<|endoftext|>", "added_tokens_decoder": {}})", R"({"pad_token": "!"})"),
            599);
}

TEST_F(Padding, MayBeGivenForASingleFile) {
  const auto clip_l = must(ClipTokenizer::open(kClip, 49407));
  const auto open_clip = must(ClipTokenizer::open(kClip, 0));
  EXPECT_EQ(clip_l.encode_padded("hat!"), must(ClipTokenizer::open(kClip)).encode_padded("hat!"));
  const auto ids = open_clip.encode_padded("hat!");
  EXPECT_THAT(std::vector<int64_t>(ids.begin(), ids.begin() + 5), ElementsAre(49406, 3801, 0, 49407, 0))
      << "as in a folder whose padding is '!', that is a special token";
  EXPECT_EQ(ids.back(), 0);
  const auto refused = ClipTokenizer::open(kTiny, 600);
  EXPECT_EQ(refused ? "" : refused.error().message, kTiny.string() + ": its vocabulary has no id 600 to pad with");
}

TEST_F(Padding, IsToldWhereItsFileIsNotJson) {
  test::put_bytes(folder / "special_tokens_map.json", "[]");
  EXPECT_EQ(ClipTokenizer::open(folder.path()).error().message,
            (folder / "special_tokens_map.json").string() + ": is not a JSON object");
}

/// Saves the tokenizer that ships as transformers does, one tokenizer.json, and opens it.
Result<ClipTokenizer> saved_by_transformers(const test::TemporaryFolder& folder, const std::string& padding) {
  if (!test::run_python("save_fast_tokenizer.py", {kClip, folder.path(), padding})) return fail("the script failed");
  EXPECT_TRUE(fs::exists(folder / "tokenizer.json"));
  EXPECT_FALSE(fs::exists(folder / "vocab.json"));
  return ClipTokenizer::open(folder.path());
}

TEST(PythonTokenizerJson, AsTransformersSavesItGivesTheSameIds) {
  ATELIER_REQUIRE_VENV();
  const test::TemporaryFolder folder, padded;
  const auto clip = must(ClipTokenizer::open(kClip)), fast = must(saved_by_transformers(folder, "<|endoftext|>"));
  for (const std::string text : {"a photo of sks, woman", "ΑΣ İ CAFE\u0301", "it's 3:2 <|endoftext|>!", "", "🙂"}) {
    EXPECT_EQ(fast.encode_padded(text), clip.encode_padded(text)) << text;
  }
  const auto open_clip = must(saved_by_transformers(padded, "!"));
  EXPECT_EQ(open_clip.encode_padded("hi! you"), must(ClipTokenizer::open(kClip, 0)).encode_padded("hi! you"));
}

TEST(PythonTokenizerJson, PassesTheStringsThatBreakTokenizers) {
  ATELIER_REQUIRE_VENV();
  ATELIER_REQUIRE_PEERS(peers);
  const test::TemporaryFolder folder;
  const auto fast = must(saved_by_transformers(folder, "<|endoftext|>"));
  const auto rows = read_json(peers / "tokens.json").at("rows");
  ASSERT_EQ(rows.size(), 222u);
  for (const auto& row : rows) {
    EXPECT_EQ(fast.encode(row["text"].get<std::string>()), row["ids"].get<std::vector<int64_t>>()) << row["text"];
  }
}

}  // namespace
}  // namespace atelier::diffusion
