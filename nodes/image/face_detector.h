// image: faces and their five landmarks in a picture, by YuNet (Wu et al., "YuNet: a tiny millisecond-level face
// detector", 2023; the 2022mar weights).
#pragma once
#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "graph/device.h"
#include "image/pool.h"
#include "types/face.h"

namespace cv {
class FaceDetectorYN;
}

namespace atelier {

class FaceDetector {
 public:
  // Loaded once per device. Fault: the model file is missing or another one.
  static Expected<std::shared_ptr<const FaceDetector>> on(Device& device, Files& files,
                                                          const std::filesystem::path& models);

  explicit FaceDetector(std::filesystem::path model);

  // All faces whose eyes lie above the mouth, the largest first, in the coordinates of `rgb` (CV_8UC3, any size);
  // faces_found is their number. Safe to call from many threads; equal pictures give equal faces.
  std::vector<Face> faces_in(const cv::Mat& rgb) const;

 private:
  std::vector<Face> faces_at(const cv::Mat& rgb, int longest_side_px) const;

  Pool<cv::Ptr<cv::FaceDetectorYN>> networks_;
};

// Whether the eyes lie above the mouth and the eye line is within 60 degrees of level: a detector is also sure of
// faces that stand on their head, and then often takes the mouth for eyes.
bool stands_upright(const Face& face);

}  // namespace atelier
