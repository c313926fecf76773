// image: turning a picture, its validity mask and its landmarks together.
#pragma once
#include <opencv2/core.hpp>

#include "types/face.h"

namespace atelier {

// Turns by `quarters` times 90 degrees clockwise, without loss.
cv::Mat quarter_turned(const cv::Mat& picture, int quarters);
Point quarter_turned(Point point, cv::Size before, int quarters);

// Turns by `degrees` clockwise about `centre` on a canvas of the same size: bicubic, what comes from outside reflected.
cv::Mat turned(const cv::Mat& picture, Point centre, double degrees);
// The validity mask that belongs to it: linear, what comes from outside 0. `valid` may be empty: all 255.
cv::Mat turned_validity(const cv::Mat& valid, cv::Size size, Point centre, double degrees);
Point turned(Point point, Point centre, double degrees);
// The landmarks move along; the box moves with its centre and keeps its sides.
Face turned(const Face& face, Point centre, double degrees);

}  // namespace atelier
