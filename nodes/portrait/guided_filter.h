// portrait: a rough mask brought to the edges of the picture it belongs to (He, Sun, Tang, "Guided image filtering",
// 2010; box filters, grey guide).
#pragma once
#include <opencv2/core.hpp>

namespace atelier {

struct GuidedFilter {
  int radius_px = 8;      // of the windows in which the mask is a linear function of the guide
  double epsilon = 1e-4;  // edges of a contrast below its root are smoothed over; guide in [0, 1]
};

// The refined mask, CV_32FC1 in [0, 1]. `mask` is CV_32FC1 in [0, 1], `guide` CV_32FC1 in [0, 1], of one size.
cv::Mat refined(const cv::Mat& mask, const cv::Mat& guide, const GuidedFilter& filter);

}  // namespace atelier
