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
  ~FaceDetector();

  // The faces of 10 to 300 px in `rgb` (CV_8UC3), all scores from 0.3 on, as the network sees them: it is also sure of
  // faces that lie on their side or stand on their head, and then takes a mouth for eyes. Safe to call from many
  // threads; equal pictures give equal faces.
  std::vector<Face> faces_in(const cv::Mat& rgb) const;

 private:
  Pool<cv::Ptr<cv::FaceDetectorYN>> networks_;
};

// Whether the eyes lie above the mouth and the eye line is within 60 degrees of level.
bool stands_upright(const Face& face);

}  // namespace atelier
