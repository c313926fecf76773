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
  double side_px = 0;       // of the face
  int faces_found = 1;
};

// The largest face of `rgb` (CV_8UC3, any size), however it is turned. A detector's score does not tell up from down,
// so a direction is believed when the face is seen there again at several sizes and tilts, and, between two that both
// are, when there is a body below and none above.
std::optional<UprightFace> find_upright_face(const cv::Mat& rgb, const FaceDetector& detector,
                                             const PersonSegmenter& segmenter);

// The face at `centre` of a picture in which its eye line lies at `eye_line` degrees, in the picture's coordinates: the
// median of what is seen at several sizes and tilts. Empty where it is not seen.
std::optional<Face> measure_face(const cv::Mat& rgb, const FaceDetector& detector, Point centre, double side_px,
                                 double eye_line);

}  // namespace atelier
