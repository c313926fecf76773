#include "probe/picture_tensor.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "support/temporary_folder.h"

namespace atelier::probe {
namespace {

TEST(PictureTensor, HasThePixelsOfAPictureInRgb) {
  cv::Mat rgb(4, 6, CV_8UC3, cv::Scalar(10, 20, 30));
  rgb.at<cv::Vec3b>(1, 2) = {1, 2, 3};
  const at::Tensor tensor = tensor_of(rgb);
  EXPECT_EQ(tensor.sizes(), at::IntArrayRef({3, 4, 6}));
  EXPECT_EQ(tensor[2][1][2].item<int>(), 3);
  EXPECT_EQ(tensor[0][0][0].item<int>(), 10);
}

TEST(PictureTensor, IsTheSquareInTheMiddleOfAFile) {
  const TemporaryFolder folder;
  cv::Mat bgr(64, 128, CV_8UC3, cv::Scalar(0, 0, 0));
  bgr(cv::Rect(32, 0, 64, 64)).setTo(cv::Scalar(30, 20, 10));
  const auto path = folder.path() / "wide.png";
  ASSERT_TRUE(cv::imwrite(path.string(), bgr));
  const auto tensor = read_picture(path);
  ASSERT_TRUE(tensor.has_value()) << tensor.error().message;
  EXPECT_EQ(tensor->sizes(), at::IntArrayRef({3, 128, 128}));
  EXPECT_TRUE((*tensor)[0].eq(10).all().item<bool>());
  EXPECT_TRUE((*tensor)[2].eq(30).all().item<bool>());
}

TEST(PictureTensor, IsRefusedWhereAFileIsNoPicture) {
  EXPECT_EQ(read_picture("/nowhere/a.png").error().message, "/nowhere/a.png: is not a picture that can be read");
}

}  // namespace
}  // namespace atelier::probe
