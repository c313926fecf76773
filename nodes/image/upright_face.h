// image: which way up a photo is and how far its face is tilted.
#pragma once
#include <opencv2/core.hpp>
#include <optional>

#include "image/face_detector.h"
#include "image/person_segmenter.h"

namespace atelier {

struct UprightFace {
  double turn_degrees = 0;  // clockwise, -180 to 180: brings the eye line level and the eyes above the mouth
  Point centre;             // of the face, in the picture as given
  Face face;                // in the picture turned by turn_degrees about centre; its eye line is level
};

// The largest face of `rgb` (CV_8UC3, any size), however it is turned. A detector's score does not tell up from down,
// and takes printed faces for faces, so one is believed when it is seen again at several sizes and tilts, and, of
// several sightings, those that have a body below and none above.
std::optional<UprightFace> find_upright_face(const cv::Mat& rgb, const FaceDetector& detector,
                                             const PersonSegmenter& segmenter);

}  // namespace atelier
