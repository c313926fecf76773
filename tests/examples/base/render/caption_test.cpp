#include "render/caption.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "portrait/caption_text.h"
#include "portrait/split_text.h"
#include "render/picture.h"

namespace atelier::render {
namespace {

WordRules rules() {
  const std::string path = ATELIER_SOURCE_DIR "/pipelines/captions/portrait-words.yaml";
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return WordRules::parse(text.str(), path);
}

TEST(Caption, HasNoWordThatIsNotListed) {
  const auto list = caption_words();
  const std::set<std::string> words(list.begin(), list.end());
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const std::string caption = random_picture(2, i).caption;
    for (const auto& word : words_of(caption)) EXPECT_TRUE(words.contains(word.text)) << word.text << ": " << caption;
  }
}

TEST(Caption, ListsNoWordThatIsNeverSaid) {
  const auto list = caption_words();
  std::set<std::string> unsaid(list.begin(), list.end());
  for (std::uint64_t i = 0; i < 5000 && !unsaid.empty(); ++i)
    for (const auto& word : words_of(random_picture(2, i).caption)) unsaid.erase(word.text);
  EXPECT_THAT(unsaid, testing::IsEmpty());
}

TEST(Caption, IsUnderstoodByTheRulesThatSplitCaptions) {
  const WordRules known = rules();
  std::set<std::string> unknown;
  for (std::uint64_t i = 0; i < 2000; ++i)
    for (const auto& chunk : chunks_of(random_picture(2, i).caption, known))
      if (side_of(chunk, known, Region::head) == Side::unknown) unknown.insert(chunk);
  EXPECT_THAT(unknown, testing::IsEmpty());
}

TEST(Caption, SplitsIntoThePersonAndThePlace) {
  const WordRules known = rules();
  const auto decide = [&](std::string_view chunk) { return side_of(chunk, known, Region::head); };
  const auto split = split_caption(
      "portrait of a woman with long red hair and round glasses, wearing a green sweater, in a park with a red "
      "balloon, "
      "oil painting",
      known, decide);
  EXPECT_EQ(split.portrait, "portrait, a woman, long red hair, round glasses, oil painting");
  EXPECT_EQ(split.background, "portrait, a green sweater, a park, a red balloon, oil painting");
}

TEST(Caption, IsAListOfTagsAboutAQuarterOfTheTime) {
  int tags = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) tags += random_picture(2, i).caption.starts_with("1 person");
  EXPECT_NEAR(tags, 250, 50);
}

}  // namespace
}  // namespace atelier::render
