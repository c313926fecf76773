#include "image/buckets.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace atelier {
namespace {

double shape_of(cv::Size size) { return static_cast<double>(size.width) / size.height; }

int floor_to(int value, int step) { return value - value % step; }

// Rounded to whole pixels, then down to a step; one step at least, which kohya's tools divide by zero without.
int stepped(double value, int step) { return std::max(step, floor_to(static_cast<int>(value + 0.5), step)); }

// The size a picture is shrunk to, so that one side is a multiple of the step: the side that changes its shape less.
cv::Size shrunk(cv::Size picture, double area, int step) {
  const double shape = shape_of(picture);
  const double width = std::sqrt(area * shape), height = area / width;
  const int by_width = stepped(width, step), by_height = stepped(height, step);
  const double shape_by_width = static_cast<double>(by_width) / stepped(by_width / shape, step);
  const double shape_by_height = static_cast<double>(stepped(by_height * shape, step)) / by_height;
  if (std::abs(shape_by_width - shape) < std::abs(shape_by_height - shape))
    return {by_width, static_cast<int>(by_width / shape + 0.5)};
  return {static_cast<int>(by_height * shape + 0.5), by_height};
}

}  // namespace

std::vector<cv::Size> bucket_sizes(const BucketRules& rules) {
  const int area = rules.size.area(), step = rules.step_px;
  std::set<std::pair<int, int>> sizes;
  const int side = std::max(step, floor_to(static_cast<int>(std::sqrt(area)), step));
  sizes.emplace(side, side);
  for (int width = rules.least_px; width <= rules.most_px; width += step) {
    const int height = std::min(rules.most_px, floor_to(area / width, step));
    if (height < rules.least_px) continue;
    sizes.emplace(width, height);
    sizes.emplace(height, width);
  }
  std::vector<cv::Size> all;
  for (const auto& [width, height] : sizes) all.emplace_back(width, height);
  return all;
}

cv::Size bucket_for(cv::Size picture, const BucketRules& rules) {
  if (!rules.no_upscale) {
    const auto sizes = bucket_sizes(rules);
    if (std::ranges::find(sizes, picture) != sizes.end()) return picture;
    const auto distance = [&](cv::Size size) { return std::abs(shape_of(size) - shape_of(picture)); };
    return *std::ranges::min_element(sizes, {}, distance);
  }
  const cv::Size size =
      picture.area() > rules.size.area() ? shrunk(picture, rules.size.area(), rules.step_px) : picture;
  return {stepped(size.width, rules.step_px), stepped(size.height, rules.step_px)};
}

}  // namespace atelier
