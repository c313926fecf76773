// image: one face looked at several times.
#pragma once
#include <opencv2/core.hpp>
#include <optional>

#include "image/face_detector.h"

namespace atelier {

// A face that is thought to be there.
struct FaceGuess {
  Point centre;             // in the picture
  double side_px = 0;       // the longer side of its box
  double turn_degrees = 0;  // clockwise: what would make it upright
  double score = 0;
};

struct FaceEvidence {
  double strength = 0;       // 0 to 1: mean of score times agreement about the tilt, over all views
  std::optional<Face> face;  // coordinate by coordinate the middle of the views, in the picture turned by
                             // guess.turn_degrees about guess.centre; empty where no view shows a face there
};

enum class Look {
  quick,    // whether there is a face: small views, tilted widely; the tilt to about 3 degrees
  precise,  // how it lies: large views, tilted a little; the tilt to about half a degree
};

// Looks at the guess's surroundings at several sizes and tilts: a true face is seen in all of them at the tilt
// expected, a mouth taken for eyes is not.
FaceEvidence look_again(const cv::Mat& rgb, const FaceDetector& detector, const FaceGuess& guess, Look look);

}  // namespace atelier
