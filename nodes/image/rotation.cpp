#include "image/rotation.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

namespace atelier {
namespace {

// From the target's pixels to the source's, as warpAffine wants it with WARP_INVERSE_MAP.
cv::Matx23d back_map(Point centre, double degrees) {
  const double a = degrees * std::numbers::pi / 180, c = std::cos(a), s = std::sin(a);
  return {c, s, centre.x - c * centre.x - s * centre.y, -s, c, centre.y + s * centre.x - c * centre.y};
}

}  // namespace

cv::Mat quarter_turned(const cv::Mat& picture, int quarters) {
  if (quarters == 0 || picture.empty()) return picture;
  cv::Mat result;
  cv::rotate(picture, result,
             quarters == 1   ? cv::ROTATE_90_CLOCKWISE
             : quarters == 2 ? cv::ROTATE_180
                             : cv::ROTATE_90_COUNTERCLOCKWISE);
  return result;
}

Point quarter_turned(Point point, cv::Size before, int quarters) {
  if (quarters == 1) return {before.height - 1 - point.y, point.x};
  if (quarters == 2) return {before.width - 1 - point.x, before.height - 1 - point.y};
  if (quarters == 3) return {point.y, before.width - 1 - point.x};
  return point;
}

cv::Mat turned(const cv::Mat& picture, Point centre, double degrees) {
  cv::Mat result;
  cv::warpAffine(picture, result, back_map(centre, degrees), picture.size(), cv::INTER_CUBIC | cv::WARP_INVERSE_MAP,
                 cv::BORDER_REFLECT_101);
  return result;
}

cv::Mat turned_validity(const cv::Mat& valid, cv::Size size, Point centre, double degrees) {
  cv::Mat result;
  cv::warpAffine(valid.empty() ? cv::Mat(size, CV_8UC1, cv::Scalar(255)) : valid, result, back_map(centre, degrees),
                 size, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT, cv::Scalar(0));
  return result;
}

Point turned(Point point, Point centre, double degrees) {
  const double a = degrees * std::numbers::pi / 180, c = std::cos(a), s = std::sin(a);
  const double x = point.x - centre.x, y = point.y - centre.y;
  return {centre.x + c * x - s * y, centre.y + s * x + c * y};
}

Face turned(const Face& face, Point centre, double degrees) {
  Face result = face;
  for (auto& p : result.landmarks) p = turned(p, centre, degrees);
  const auto& box = face.box;
  const Point middle = turned(Point{box.x + box.width / 2, box.y + box.height / 2}, centre, degrees);
  result.box = {middle.x - box.width / 2, middle.y - box.height / 2, box.width, box.height};
  return result;
}

}  // namespace atelier
