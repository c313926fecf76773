// image: photos as the report shows them: before, after, and under their masks.
#pragma once
#include <opencv2/core.hpp>
#include <string>

#include "graph/context.h"

namespace atelier {

// Of a task's photos so many are shown: enough to see whether they come out right.
inline constexpr std::size_t most_photos_shown = 12;

struct PhotoAspect {
  std::string name;           // "before"
  std::string description{};  // what a person who looks at it must know
};

// Shows `rgb` (CV_8UC3) as "PHOTO/ASPECT", its longer side at most 160 px.
void show_photo(Context& context, const std::string& photo, const PhotoAspect& aspect, const cv::Mat& rgb);

// `rgb` where `portrait` is 255; elsewhere tinted, and black where `whole` is 0. The masks are CV_8UC1.
cv::Mat under_mask(const cv::Mat& rgb, const cv::Mat& portrait, const cv::Mat& whole);

}  // namespace atelier
