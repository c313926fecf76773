#include "portrait/image_tags.h"

#include <fmt/format.h>
#include <cmath>

#include "image/pixels.h"
#include "portrait/colour_names.h"
#include "portrait/face_shape.h"

namespace atelier {
namespace {

// Of the face's height in the picture's.
constexpr double close_up_from = 0.45, portrait_from = 0.2;
constexpr double turned_from = 0.2;  // of the nose from the middle, in distances from eyes to mouth
constexpr double dark_below = 70, bright_above = 185;
// Of the background.
constexpr double least_share = 0.03, plain_spread = 30, named_from = 0.45, plain_named_from = 0.6;

std::string framing_of(const Image& image) {
  const double share = image.face->box.height / static_cast<double>(image.height());
  if (share >= close_up_from) return "close-up";
  return share >= portrait_from ? "portrait" : "upper body";
}

std::string facing_of(const Face& face) {
  const double turned = FaceFrame(face).turned();
  if (std::abs(turned) < turned_from) return "facing viewer";
  return turned < 0 ? "facing left" : "facing right";
}

cv::Mat validity_of(const Image& image, cv::Size size) {
  return image.valid ? mat_of(*image.valid) : cv::Mat(size, CV_8UC1, cv::Scalar(255));
}

// Valid pixels that are neither head nor body; without a face, a frame along the upper edges.
cv::Mat background_of(const Image& image, cv::Size size) {
  cv::Mat weight = validity_of(image, size).clone();
  if (image.face) {
    weight.setTo(0, body_shape(size, *image.face) > 0);
    return weight;
  }
  constexpr int frame_share = 8;
  const int left = size.width / frame_share, top = size.height / frame_share;
  weight(cv::Rect(left, top, size.width - 2 * left, size.height - top)).setTo(0);
  return weight;
}

std::string background_tag(const ColourSummary& background) {
  const std::size_t dominant = background.dominant();
  const double share = background.shares[dominant];
  if (background.spread < plain_spread && share >= plain_named_from)
    return fmt::format("plain {} background", colour_names[dominant]);
  if (background.spread < plain_spread) return "plain background";
  return share >= named_from ? fmt::format("{} background", colour_names[dominant]) : "detailed background";
}

}  // namespace

std::vector<std::string> tags_of(const Image& image) {
  std::vector<std::string> tags;
  const cv::Mat rgb = mat_of(image.pixels);
  if (image.face) {
    const int people = image.face->faces_found;
    tags.push_back(people == 1 ? "1 person" : fmt::format("{} people", people));
    tags.push_back(framing_of(image));
    tags.push_back(facing_of(*image.face));
  }
  const double brightness = colours_of(rgb, validity_of(image, rgb.size())).brightness;
  if (brightness < dark_below) tags.emplace_back("dark photo");
  if (brightness > bright_above) tags.emplace_back("bright photo");
  const auto background = colours_of(rgb, background_of(image, rgb.size()));
  if (background.pixels >= least_share * static_cast<double>(rgb.total())) tags.push_back(background_tag(background));
  return tags;
}

}  // namespace atelier
