#include "image/buckets.h"

#include <gtest/gtest.h>

#include <string>

namespace atelier {
namespace {

struct Case {
  std::string name;
  BucketRules rules;
  std::vector<cv::Size> buckets;  // of kPictures
};

const std::vector<cv::Size> kPictures{{512, 512}, {3000, 4000}, {4000, 3000}, {1920, 1080}, {1080, 2400}, {640, 480},
                                      {700, 500}, {300, 900},   {5000, 800},  {768, 512},   {832, 1216},  {1000, 999}};

class Buckets : public testing::TestWithParam<Case> {};

// kohya-ss/sd-scripts: BucketManager(no_upscale, size, least_px, most_px, step_px), make_buckets(), select_bucket().
TEST_P(Buckets, AreThoseOfKohyasTools) {
  for (std::size_t i = 0; i < kPictures.size(); ++i)
    EXPECT_EQ(bucket_for(kPictures[i], GetParam().rules), GetParam().buckets[i])
        << kPictures[i].width << " x " << kPictures[i].height;
}

INSTANTIATE_TEST_SUITE_P(Kohya, Buckets,
                         testing::Values(Case{"Square512",
                                              {{512, 512}, 256, 1024, 64, false},
                                              {{512, 512},
                                               {448, 576},
                                               {576, 448},
                                               {640, 384},
                                               {320, 704},
                                               {576, 448},
                                               {576, 448},
                                               {256, 832},
                                               {1024, 256},
                                               {640, 384},
                                               {384, 640},
                                               {512, 512}}},
                                         Case{"Square512NoUpscale",
                                              {{512, 512}, 256, 1024, 64, true},
                                              {{512, 512},
                                               {384, 512},
                                               {512, 384},
                                               {640, 384},
                                               {320, 704},
                                               {512, 384},
                                               {512, 384},
                                               {256, 768},
                                               {1152, 192},
                                               {576, 384},
                                               {384, 576},
                                               {512, 512}}},
                                         Case{"Square1024",
                                              {{1024, 1024}, 512, 2048, 64, false},
                                              {{1024, 1024},
                                               {896, 1152},
                                               {1152, 896},
                                               {1344, 768},
                                               {704, 1472},
                                               {1152, 896},
                                               {1216, 832},
                                               {576, 1728},
                                               {2048, 512},
                                               {1216, 832},
                                               {832, 1216},
                                               {1024, 1024}}},
                                         Case{"Square1024NoUpscale",
                                              {{1024, 1024}, 512, 2048, 64, true},
                                              {{512, 512},
                                               {832, 1088},
                                               {1088, 832},
                                               {1344, 768},
                                               {640, 1408},
                                               {640, 448},
                                               {640, 448},
                                               {256, 896},
                                               {2368, 384},
                                               {768, 512},
                                               {832, 1216},
                                               {960, 960}}},
                                         Case{"Tall512x768",
                                              {{512, 768}, 256, 1024, 64, false},
                                              {{576, 576},
                                               {512, 704},
                                               {704, 512},
                                               {832, 448},
                                               {384, 896},
                                               {704, 512},
                                               {704, 512},
                                               {320, 1024},
                                               {1024, 256},
                                               {768, 512},
                                               {512, 768},
                                               {576, 576}}},
                                         Case{"StepsOf32",
                                              {{640, 640}, 256, 1280, 32, false},
                                              {{640, 640},
                                               {544, 736},
                                               {736, 544},
                                               {832, 480},
                                               {416, 928},
                                               {736, 544},
                                               {736, 544},
                                               {352, 1088},
                                               {1280, 256},
                                               {768, 512},
                                               {512, 768},
                                               {640, 640}}},
                                         Case{"StepsOf32NoUpscale",
                                              {{640, 640}, 256, 1280, 32, true},
                                              {{512, 512},
                                               {544, 736},
                                               {736, 544},
                                               {832, 480},
                                               {416, 928},
                                               {640, 480},
                                               {672, 480},
                                               {288, 896},
                                               {1600, 256},
                                               {768, 512},
                                               {512, 736},
                                               {640, 640}}}),
                         [](const auto& tested) { return tested.param.name; });

TEST(BucketSizes, AreTheSquareAndTheLargestOfEveryWidth) {
  const auto sizes = bucket_sizes({{512, 512}, 256, 1024, 64, false});
  ASSERT_EQ(sizes.size(), 17U);
  EXPECT_EQ(sizes.front(), cv::Size(256, 832));
  EXPECT_EQ(sizes.back(), cv::Size(1024, 256));
  for (const auto& size : sizes) {
    EXPECT_EQ(size.width % 64 + size.height % 64, 0);
    EXPECT_LE(size.area(), 512 * 512);
  }
}

TEST(BucketFor, GivesASideAtLeastAStep) {
  EXPECT_EQ(bucket_for({9000, 64}, {{512, 512}, 256, 1024, 64, true}).height, 64);
}

}  // namespace
}  // namespace atelier
