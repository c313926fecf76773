#include "portrait/guided_filter.h"

#include <opencv2/imgproc.hpp>

namespace atelier {

cv::Mat refined(const cv::Mat& mask, const cv::Mat& guide, const GuidedFilter& filter) {
  const cv::Size window(2 * filter.radius_px + 1, 2 * filter.radius_px + 1);
  const auto mean = [&](const cv::Mat& values) {
    cv::Mat result;
    cv::boxFilter(values, result, CV_32F, window, {-1, -1}, true, cv::BORDER_REFLECT_101);
    return result;
  };
  const cv::Mat mean_guide = mean(guide), mean_mask = mean(mask);
  const cv::Mat variance = mean(guide.mul(guide)) - mean_guide.mul(mean_guide);
  const cv::Mat covariance = mean(guide.mul(mask)) - mean_guide.mul(mean_mask);
  const cv::Mat a = covariance / (variance + filter.epsilon);
  const cv::Mat b = mean_mask - a.mul(mean_guide);
  cv::Mat result = mean(a).mul(guide) + mean(b);
  cv::min(result, 1.0, result);
  cv::max(result, 0.0, result);
  return result;
}

}  // namespace atelier
