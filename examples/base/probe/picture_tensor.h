// probe: pictures as the network takes them.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <opencv2/core.hpp>

#include "diffusion/error.h"

namespace atelier::probe {

// Width and height of what the network sees.
inline constexpr int kSide = 128;

// [3, H, W] uint8 of a CV_8UC3 in RGB.
at::Tensor tensor_of(const cv::Mat& rgb);

// The square in the middle of a picture file, reduced or enlarged to 128 px: [3, 128, 128] uint8, RGB. Errors: a file
// that is no picture, with its path.
diffusion::Result<at::Tensor> read_picture(const std::filesystem::path& path);

}  // namespace atelier::probe
