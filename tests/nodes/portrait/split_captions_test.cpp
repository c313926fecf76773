#include "portrait/split_captions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "portrait/split_text.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/test_images.h"
#include "types/captions.h"
#include "types/masks.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

WordRules shipped_rules() {
  static const std::unique_ptr<Files> files = make_posix_files();
  return WordRules::parse(*read_text(*files, ATELIER_SOURCE_DIR "/pipelines/captions/portrait-words.yaml"),
                          "portrait-words.yaml");
}

TEST(WordRules, ThatShipHaveAtLeast300Entries) { EXPECT_GE(shipped_rules().size(), 300U); }

TEST(WordRules, FollowTheRegion) {
  const auto rules = shipped_rules();
  const auto sides = [&](const char* tag) {
    return std::vector{side_of(tag, rules, Region::face), side_of(tag, rules, Region::head),
                       side_of(tag, rules, Region::person)};
  };
  constexpr Side p = Side::portrait, b = Side::background;
  EXPECT_THAT(sides("green eyes"), ElementsAre(p, p, p));
  EXPECT_THAT(sides("long hair"), ElementsAre(b, p, p));
  EXPECT_THAT(sides("leather jacket"), ElementsAre(b, b, p));
  EXPECT_THAT(sides("brick wall"), ElementsAre(b, b, b));
  EXPECT_THAT(sides("photo"), ElementsAre(Side::both, Side::both, Side::both));
  EXPECT_THAT(sides("xyzzy"), ElementsAre(Side::unknown, Side::unknown, Side::unknown));
}

TEST(WordRules, MatchWholeWordsPluralsAndTheLongestPhrase) {
  const auto rules = shipped_rules();
  const auto side = [&](const char* tag) { return side_of(tag, rules, Region::head); };
  EXPECT_EQ(side("two EARRINGS"), Side::portrait);
  EXPECT_EQ(side("pearl"), Side::unknown);  // no "ear" inside
  EXPECT_EQ(side("old man"), Side::portrait);
  EXPECT_EQ(side("window"), Side::background);  // no "wind"
  EXPECT_EQ(side("blue hair ribbon"), Side::portrait);
  EXPECT_EQ(side("facing viewer"), Side::portrait);
  EXPECT_EQ(side("blue background"), Side::background);
  EXPECT_EQ(side("plain grey background"), Side::background);
  EXPECT_EQ(side("hair salon window"), Side::background);  // the last noun decides
}

TEST(WordRules, SayWhatIsWrongWithTheirFile) {
  const auto error = [](const char* yaml) -> std::string {
    try {
      WordRules::parse(yaml, "w.yaml");
    } catch (const UserError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(error("words: [a]"), "w.yaml:1: expects a map with 'groups'");
  EXPECT_EQ(error("groups:\n  x:\n    belongs: nose\n    words: [a]"),
            "w.yaml:2: group 'x': belongs is one of face, head, person, background, both");
  EXPECT_EQ(error("groups:\n  x:\n    belongs: face\n    words: [nose,\n      Nose]"),
            "w.yaml:5: 'Nose' is listed a second time");
}

TEST(Chunks, AreTagsOrThePartsOfSentences) {
  const auto rules = shipped_rules();
  EXPECT_THAT(chunks_of("1girl, red dress,, smile", rules), ElementsAre("1girl", "red dress", "smile"));
  EXPECT_THAT(chunks_of("A woman with long hair wearing a red dress in front of a wall, looking at viewer.", rules),
              ElementsAre("A woman", "long hair", "a red dress", "a wall", "looking at viewer"));
  EXPECT_THAT(chunks_of("a man standing in front of a brick wall and smiling at the camera", rules),
              ElementsAre("a man", "a brick wall", "smiling at the camera"));
}

TEST(CaptionText, FindsAndRemovesWholeWordsOnly) {
  EXPECT_TRUE(holds_words("a photo of SKS person", "sks"));
  EXPECT_FALSE(holds_words("a photo of sksperson", "sks"));
  EXPECT_EQ(without_words("sks, a man, smiling", "sks"), "a man, smiling");
  EXPECT_EQ(without_words("a photo of sks man", "sks"), "a photo of man");
  EXPECT_EQ(without_words("a man, sks", "sks"), "a man");
  EXPECT_EQ(without_words("desks", "sks"), "desks");
}

class SplitCaptions : public testing::Test {
 protected:
  std::unique_ptr<const Node> node = make_split_captions(shipped_rules());
  FakeContext context;
  FakeDevice device;
  Image image = plain_image("a.jpg", 2, 1, {200, 20, 20});

  struct Result {
    std::string whole, portrait, background;
  };
  Expected<Outputs> run(const std::string& caption, const std::map<std::string, Value>& params, bool masks = false) {
    Inputs inputs{{"captions", {CaptionSet{{{"a.jpg", caption}}}.to_artifact()}},
                  {"images", {ImageSet{{image}}.to_artifact()}}};
    const auto left = Tensor::of<std::uint8_t>({1, 2}, std::vector<std::uint8_t>{255, 0});
    if (masks) inputs["masks"] = {MaskSet{{{"a.jpg", left}}}.to_artifact()};
    return run_node(*node, inputs, params, context, device);
  }
  Result split(const std::string& caption, const std::map<std::string, Value>& params = {}, bool masks = false) {
    const auto outputs = run(caption, params, masks);
    EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().message);
    const auto text = [&](const char* port) { return CaptionSet::from(outputs->at(port)).value().items.at(0).text; };
    return {text("whole"), text("portrait"), text("background")};
  }
};

TEST_F(SplitCaptions, PutsTheTriggerFirstInAllThree) {
  const auto result = split("a man, red scarf, brick wall", {{"trigger", "sks"}});
  EXPECT_EQ(result.whole, "sks, a man, red scarf, brick wall");
  EXPECT_EQ(result.portrait, "sks, a man");
  EXPECT_EQ(result.background, "sks, red scarf, brick wall");
}

TEST_F(SplitCaptions, LeavesACaptionThatHoldsTheTriggerAsItIs) {
  const auto result = split("photo of sks man, garden", {{"trigger", "sks"}});
  EXPECT_EQ(result.whole, "photo of sks man, garden");
  EXPECT_EQ(result.portrait, "sks, photo of man");
  EXPECT_EQ(result.background, "sks, garden");
}

TEST_F(SplitCaptions, HasNoTriggerWhereNoneIsGiven) {
  const auto result = split("sky");
  EXPECT_EQ(result.whole, "sky");
  EXPECT_EQ(result.portrait, "");
  EXPECT_EQ(result.background, "sky");
}

TEST_F(SplitCaptions, FollowsTheRegion) {
  EXPECT_EQ(split("man, beard, ponytail, suit", {{"region", "face"}}).portrait, "man, beard");
  EXPECT_EQ(split("man, beard, ponytail, suit", {{"region", "head"}}).portrait, "man, beard, ponytail");
  EXPECT_EQ(split("man, beard, ponytail, suit", {{"region", "person"}}).portrait, "man, beard, ponytail, suit");
}

TEST_F(SplitCaptions, SpeaksOfThePersonInThePortraitAlone) {
  const auto result = split("a businessman with a white beard, smiling at the camera, a wall behind him");
  EXPECT_EQ(result.portrait, "a businessman, a white beard, smiling at the camera, him");
  EXPECT_EQ(result.background, "a wall");
}

TEST_F(SplitCaptions, PutsUnknownWordsWhereItIsTold) {
  EXPECT_EQ(split("xyzzy", {{"unknown", "portrait"}}).background, "");
  EXPECT_EQ(split("xyzzy", {{"unknown", "background"}}).portrait, "");
  const auto both = split("xyzzy");
  EXPECT_EQ(both.portrait + both.background, "xyzzyxyzzy");
}

TEST_F(SplitCaptions, TakesOwnWords) {
  const auto result =
      split("xyzzy, smile", {{"portrait_words", Value::List{"xyzzy"}}, {"background_words", Value::List{"smile"}}});
  EXPECT_EQ(result.portrait, "xyzzy");
  EXPECT_EQ(result.background, "smile");
}

TEST_F(SplitCaptions, LetsCaptionsSplitByHandWin) {
  image.portrait_text = "old man";
  image.background_text = "the sea";
  const auto result = split("a caption, garden", {{"trigger", "sks"}});
  EXPECT_EQ(result.portrait, "sks, old man");
  EXPECT_EQ(result.background, "sks, the sea");
}

TEST_F(SplitCaptions, AsksThePixelsUnderTheMasksInModeRegion) {
  image.pixels = Tensor::of<std::uint8_t>({1, 2, 3}, std::vector<std::uint8_t>{200, 20, 20, 20, 30, 220});
  const auto result = split("red thing, blue thing, smile", {{"mode", "region"}}, true);
  EXPECT_EQ(result.portrait, "red thing, smile");
  EXPECT_EQ(result.background, "blue thing");
}

TEST_F(SplitCaptions, LeavesCaptionsWholeInModeOff) {
  const auto result = split("a man, red scarf, brick wall", {{"mode", "off"}, {"trigger", "sks"}});
  EXPECT_EQ(result.whole, "sks, a man, red scarf, brick wall");
  EXPECT_EQ(result.portrait, result.whole);
  EXPECT_EQ(result.background, result.whole);
}

TEST_F(SplitCaptions, NeedsMasksInModeRegion) {
  const Params params(node->spec(), {{"mode", "region"}});
  EXPECT_THAT(node->check(params, {{"captions", 1}, {"images", 1}}),
              ElementsAre("mode is region, which needs something connected to the port 'masks'"));
  EXPECT_THAT(node->check(params, {{"captions", 1}, {"images", 1}, {"masks", 1}}), IsEmpty());
}

TEST_F(SplitCaptions, RefusesCaptionsOfOtherPictures) {
  image.name = "b.jpg";
  EXPECT_EQ(run("x", {}).error().message,
            "captions, images and masks of split_captions must come from the same pictures");
}

TEST_F(SplitCaptions, CarriesTheDigestOfItsRulesIntoEveryKey) {
  EXPECT_EQ(Params(node->spec(), {}).in_key(node->spec()).at("rules_digest").text(), shipped_rules().digest().hex());
}

}  // namespace
}  // namespace atelier
