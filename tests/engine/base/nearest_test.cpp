#include "base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace atelier {
namespace {

const std::vector<std::string> nodes{"align", "resize", "segment", "train", "fuse", "sample", "size_px"};

TEST(Nearest, ASwapOfNeighboursIsOneEdit) { EXPECT_EQ(edit_distance("trian", "train"), 1u); }
TEST(Nearest, TheDistanceToNothingIsTheLength) { EXPECT_EQ(edit_distance("", "train"), 5u); }
TEST(Nearest, DistanceCountsReplacementsInsertionsAndDeletions) { EXPECT_EQ(edit_distance("kitten", "sitting"), 3u); }
TEST(Nearest, CapitalLettersDoNotCount) { EXPECT_EQ(edit_distance("Train", "train"), 0u); }

TEST(Nearest, FindsTheNameThatWasMeant) {
  EXPECT_EQ(nearest("trian", nodes), "train");
  EXPECT_EQ(nearest("segmnt", nodes), "segment");
  EXPECT_EQ(nearest("Fuse", nodes), "fuse");
}
TEST(Nearest, FindsTheNameThatWasBegun) { EXPECT_EQ(nearest("size", nodes), "resize"); }
TEST(Nearest, ANameMayBeginTheWrongOne) { EXPECT_EQ(nearest("sample_images", nodes), "sample"); }
TEST(Nearest, SaysNothingWhereNothingIsNear) {
  EXPECT_EQ(nearest("upscale", nodes), "");
  EXPECT_EQ(nearest("", nodes), "");
  EXPECT_EQ(nearest("ab", std::vector<std::string>{"cd", "x"}), "");
}
TEST(Nearest, ALetterIsNotMistakenForAnother) { EXPECT_EQ(nearest("a", std::vector<std::string>{"b"}), ""); }
TEST(Nearest, EndsASentence) {
  EXPECT_EQ(did_you_mean("trian", nodes), "; did you mean 'train'?");
  EXPECT_EQ(did_you_mean("upscale", nodes), "");
}

}  // namespace
}  // namespace atelier
