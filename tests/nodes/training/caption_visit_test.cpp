#include "training/caption_visit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

DatasetItem item_of(const std::string& caption, const std::string& photo = "a") {
  DatasetItem item;
  item.photo = sha256(photo);
  item.caption = caption;
  return item;
}

TEST(CaptionOfAVisit, IsTheCaptionItselfUnlessAskedOtherwise) {
  const auto item = item_of("a  man,smiling (at:1.2) the <camera> ");
  for (std::uint64_t visit = 0; visit < 5; ++visit) EXPECT_EQ(caption_of_visit(item, visit, {}), item.caption);
  EXPECT_TRUE(CaptionOptions{}.fixed());
}

TEST(CaptionOfAVisit, IsEmptyAtTheShareOfVisitsThatIsDropped) {
  const auto item = item_of("a man");
  int empty = 0;
  for (std::uint64_t visit = 0; visit < 2000; ++visit)
    empty += caption_of_visit(item, visit, {.seed = 3, .dropout = 0.25}).empty();
  EXPECT_NEAR(empty, 500, 4 * 19.4);  // four standard errors
  EXPECT_EQ(caption_of_visit(item, 0, {.dropout = 1}), "");
}

TEST(CaptionOfAVisit, DependsOnSeedPhotoAndVisitAlone) {
  const auto one = item_of("a, b, c, d, e, f, g, h");
  const CaptionOptions options{.seed = 1, .shuffle_tags = true};
  EXPECT_EQ(caption_of_visit(one, 7, options), caption_of_visit(one, 7, options));
  EXPECT_NE(caption_of_visit(one, 7, options), caption_of_visit(one, 8, options));
  EXPECT_NE(caption_of_visit(one, 7, options), caption_of_visit(item_of("a, b, c, d, e, f, g, h", "b"), 7, options));
  EXPECT_NE(caption_of_visit(one, 7, options), caption_of_visit(one, 7, {.seed = 2, .shuffle_tags = true}));
}

TEST(CaptionOfAVisit, ShufflesTagsBehindThoseThatAreKept) {
  const auto item = item_of("sks person,a man , , smiling,red hat");
  std::set<std::string> seen;
  for (std::uint64_t visit = 0; visit < 200; ++visit)
    seen.insert(caption_of_visit(item, visit, {.shuffle_tags = true, .keep_tokens = 1}));
  EXPECT_THAT(seen, ElementsAre("sks person, a man, red hat, smiling", "sks person, a man, smiling, red hat",
                                "sks person, red hat, a man, smiling", "sks person, red hat, smiling, a man",
                                "sks person, smiling, a man, red hat", "sks person, smiling, red hat, a man"));
}

TEST(CaptionOfAVisit, PutsEachOrderOfTagsEquallyOften) {
  const auto item = item_of("a, b, c");
  std::map<std::string, int> times;
  for (std::uint64_t visit = 0; visit < 6000; ++visit) ++times[caption_of_visit(item, visit, {.shuffle_tags = true})];
  ASSERT_EQ(times.size(), 6u);
  for (const auto& [caption, count] : times) EXPECT_NEAR(count, 1000, 4 * 28.9) << caption;
}

TEST(CaptionOfAVisit, KeepsMoreTagsThanThereAre) {
  EXPECT_EQ(caption_of_visit(item_of("b, a"), 0, {.shuffle_tags = true, .keep_tokens = 9}), "b, a");
  EXPECT_EQ(caption_of_visit(item_of(""), 0, {.shuffle_tags = true}), "");
}

}  // namespace
}  // namespace atelier
