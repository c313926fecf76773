// image: which part of a picture is kept, and how it becomes the wanted size.
#pragma once
#include <opencv2/core.hpp>
#include <optional>

#include "types/face.h"

namespace atelier {

// The largest rectangle of the target's shape that fits into the picture, in its middle.
cv::Rect crop_of_middle(cv::Size picture, cv::Size target);

// As much of the person as the picture holds: a rectangle of the target's shape within the picture, as large as fits
// but no larger than makes the face `face_ratio` of its height; the face is in its middle and somewhat above it.
cv::Rect crop_of_person(cv::Size picture, cv::Size target, const Face& face, double face_ratio);

// A rectangle of the target's shape in which the face is `face_ratio` of the height; it may reach beyond the picture.
cv::Rect crop_of_face(cv::Size target, const Face& face, double face_ratio);

// The crop grown about its middle to the target's size where it is smaller, within the picture, so that nothing need be
// enlarged. The picture is at least as large as the target.
cv::Rect at_least(cv::Rect crop, cv::Size target, cv::Size picture);

// The crop at the target's size: area where it shrinks, Lanczos where it enlarges; what lies beyond the picture is
// reflected.
cv::Mat cropped(const cv::Mat& picture, cv::Rect crop, cv::Size target);
// The validity mask that belongs to it; what lies beyond the picture is 0. `valid` may be empty: all 255. Empty where
// all of it is 255.
cv::Mat cropped_validity(const cv::Mat& valid, cv::Size picture, cv::Rect crop, cv::Size target);
Face cropped(const Face& face, cv::Rect crop, cv::Size target);

}  // namespace atelier
