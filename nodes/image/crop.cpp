#include "image/crop.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace atelier {
namespace {

// Where the centre of the face stands in a crop of a person, from the top: portraits leave more room below.
constexpr double face_height_in_person = 0.42;
constexpr double face_height_in_face = 0.48;

cv::Rect rectangle_of_height(double height, cv::Size target) {
  const double width = height * target.width / target.height;
  return {0, 0, std::max(1, cvRound(width)), std::max(1, cvRound(height))};
}

cv::Rect largest_within(cv::Size picture, cv::Size target) {
  const double height =
      std::min<double>(picture.height, static_cast<double>(picture.width) * target.height / target.width);
  cv::Rect crop = rectangle_of_height(height, target);
  crop.width = std::min(crop.width, picture.width);
  return crop;
}

void place_face(cv::Rect& crop, const Face& face, double height_in_crop) {
  crop.x = cvRound(face.box.x + face.box.width / 2 - crop.width / 2.0);
  crop.y = cvRound(face.box.y + face.box.height / 2 - crop.height * height_in_crop);
}

// How far the crop reaches beyond the picture on each side.
struct Margins {
  int top = 0, bottom = 0, left = 0, right = 0;
  bool none() const { return top + bottom + left + right == 0; }
};

Margins margins_of(cv::Rect crop, cv::Size picture) {
  return {std::max(0, -crop.y), std::max(0, crop.y + crop.height - picture.height), std::max(0, -crop.x),
          std::max(0, crop.x + crop.width - picture.width)};
}

cv::Mat cut(const cv::Mat& picture, cv::Rect crop, int border, const cv::Scalar& value = {}) {
  const Margins margins = margins_of(crop, picture.size());
  if (margins.none()) return picture(crop);
  cv::Mat wide;
  cv::copyMakeBorder(picture, wide, margins.top, margins.bottom, margins.left, margins.right, border, value);
  return wide(cv::Rect(crop.x + margins.left, crop.y + margins.top, crop.width, crop.height));
}

bool shrinks(cv::Rect crop, cv::Size target) { return target.width < crop.width || target.height < crop.height; }

}  // namespace

cv::Rect crop_of_middle(cv::Size picture, cv::Size target) {
  cv::Rect crop = largest_within(picture, target);
  crop.x = (picture.width - crop.width) / 2;
  crop.y = (picture.height - crop.height) / 2;
  return crop;
}

cv::Rect crop_of_person(cv::Size picture, cv::Size target, const Face& face, double face_ratio) {
  const cv::Rect largest = largest_within(picture, target);
  const double wanted = std::min<double>(largest.height, std::max(1.0, face.box.height / face_ratio));
  cv::Rect crop = rectangle_of_height(wanted, target);
  crop.width = std::min(crop.width, largest.width);
  place_face(crop, face, face_height_in_person);
  crop.x = std::clamp(crop.x, 0, picture.width - crop.width);
  crop.y = std::clamp(crop.y, 0, picture.height - crop.height);
  return crop;
}

cv::Rect crop_of_face(cv::Size target, const Face& face, double face_ratio) {
  cv::Rect crop = rectangle_of_height(face.box.height / face_ratio, target);
  place_face(crop, face, face_height_in_face);
  return crop;
}

cv::Rect at_least(cv::Rect crop, cv::Size target, cv::Size picture) {
  if (crop.width >= target.width && crop.height >= target.height) return crop;
  const int x = crop.x + (crop.width - target.width) / 2, y = crop.y + (crop.height - target.height) / 2;
  return {std::clamp(x, 0, picture.width - target.width), std::clamp(y, 0, picture.height - target.height),
          target.width, target.height};
}

cv::Mat cropped(const cv::Mat& picture, cv::Rect crop, cv::Size target) {
  const cv::Mat part = cut(picture, crop, cv::BORDER_REFLECT_101);
  if (part.size() == target) return part.clone();
  cv::Mat result;
  cv::resize(part, result, target, 0, 0, shrinks(crop, target) ? cv::INTER_AREA : cv::INTER_LANCZOS4);
  return result;
}

cv::Mat cropped_validity(const cv::Mat& valid, cv::Size picture, cv::Rect crop, cv::Size target) {
  if (valid.empty() && margins_of(crop, picture).none()) return {};
  const cv::Mat whole = valid.empty() ? cv::Mat(picture, CV_8UC1, cv::Scalar(255)) : valid;
  const cv::Mat part = cut(whole, crop, cv::BORDER_CONSTANT, cv::Scalar(0));
  cv::Mat result;
  // Lanczos would ring at the mask's edges.
  cv::resize(part, result, target, 0, 0, shrinks(crop, target) ? cv::INTER_AREA : cv::INTER_LINEAR);
  return cv::countNonZero(result != 255) == 0 ? cv::Mat() : result;
}

Face cropped(const Face& face, cv::Rect crop, cv::Size target) {
  const double sx = static_cast<double>(target.width) / crop.width;
  const double sy = static_cast<double>(target.height) / crop.height;
  Face result = face;
  for (auto& p : result.landmarks) p = {(p.x - crop.x + 0.5) * sx - 0.5, (p.y - crop.y + 0.5) * sy - 0.5};
  result.box = {(face.box.x - crop.x + 0.5) * sx - 0.5, (face.box.y - crop.y + 0.5) * sy - 0.5, face.box.width * sx,
                face.box.height * sy};
  return result;
}

}  // namespace atelier
