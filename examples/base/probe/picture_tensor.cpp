#include "probe/picture_tensor.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace atelier::probe {

at::Tensor tensor_of(const cv::Mat& rgb) {
  const cv::Mat whole = rgb.isContinuous() ? rgb : rgb.clone();
  return at::from_blob(whole.data, {whole.rows, whole.cols, 3}, at::kByte).permute({2, 0, 1}).contiguous();
}

diffusion::Result<at::Tensor> read_picture(const std::filesystem::path& path) {
  const cv::Mat bgr = cv::imread(path.string(), cv::IMREAD_COLOR);
  if (bgr.empty()) return diffusion::fail(fmt::format("{}: is not a picture that can be read", path.string()));
  const int side = std::min(bgr.rows, bgr.cols);
  const cv::Mat middle = bgr(cv::Rect((bgr.cols - side) / 2, (bgr.rows - side) / 2, side, side));
  cv::Mat fitting, rgb;
  cv::resize(middle, fitting, cv::Size(kSide, kSide), 0, 0, side > kSide ? cv::INTER_AREA : cv::INTER_LINEAR);
  cv::cvtColor(fitting, rgb, cv::COLOR_BGR2RGB);
  return tensor_of(rgb);
}

}  // namespace atelier::probe
