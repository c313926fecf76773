#include "image/pixels.h"

#include <memory>
#include <mutex>
#include <opencv2/core/ocl.hpp>

namespace atelier {

cv::Mat mat_of(const Tensor& tensor) {
  const auto& shape = tensor.shape();
  auto* data = const_cast<std::uint8_t*>(tensor.values<std::uint8_t>().data());
  return {static_cast<int>(shape[0]), static_cast<int>(shape[1]), shape.size() == 3 ? CV_8UC3 : CV_8UC1, data};
}

Tensor tensor_of(const cv::Mat& mat) {
  // A matrix over foreign memory owns nothing that could be kept alive.
  const bool owns = mat.u != nullptr && mat.isContinuous();
  auto kept = std::make_shared<const cv::Mat>(owns ? mat : mat.clone());
  Tensor::Shape shape{kept->rows, kept->cols};
  if (kept->channels() == 3) shape.push_back(3);
  const auto bytes = std::as_bytes(std::span(kept->data, kept->total() * kept->elemSize()));
  return Tensor(DType::u8, std::move(shape), bytes, kept);
}

void use_opencv_on_one_thread() {
  static std::once_flag once;
  std::call_once(once, [] {
    cv::setNumThreads(1);
    cv::ocl::setUseOpenCL(false);
  });
}

}  // namespace atelier
