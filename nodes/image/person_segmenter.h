// image: where a person is in a picture, by SINet (Park et al., "SINet: extreme lightweight portrait segmentation",
// 2020).
#pragma once
#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>

#include "base/error.h"
#include "base/files.h"
#include "graph/device.h"
#include "image/pool.h"

namespace atelier {

class PersonSegmenter {
 public:
  static constexpr int side_px = 320;

  // Loaded once per device. Fault: the model file is missing or another one.
  static Expected<std::shared_ptr<const PersonSegmenter>> on(Device& device, Files& files,
                                                             const std::filesystem::path& models);

  explicit PersonSegmenter(std::filesystem::path model);
  ~PersonSegmenter();

  // The probability of person at each place of `rgb` (CV_8UC3, any size), CV_32FC1, side_px x side_px whatever the
  // picture's shape. Safe to call from many threads; equal pictures give equal masks.
  cv::Mat person_in(const cv::Mat& rgb) const;

 private:
  Pool<cv::dnn::Net> networks_;
};

}  // namespace atelier
