#include "image/mirror.h"

#include <filesystem>
#include <opencv2/core.hpp>
#include <utility>

#include "image/pixels.h"

namespace atelier {
namespace {

Tensor flipped(const Tensor& pixels) {
  cv::Mat result;
  cv::flip(mat_of(pixels), result, 1);
  return tensor_of(result);
}

// (0, 0) is the centre of the top left pixel.
double flipped(double x, std::int64_t width) { return static_cast<double>(width - 1) - x; }

Face flipped(const Face& face, std::int64_t width) {
  Face result = face;
  result.box.x = flipped(face.box.x + face.box.width, width);
  for (auto& point : result.landmarks) point.x = flipped(point.x, width);
  std::swap(result.landmarks[Face::right_eye], result.landmarks[Face::left_eye]);
  std::swap(result.landmarks[Face::right_mouth], result.landmarks[Face::left_mouth]);
  return result;
}

}  // namespace

Image mirrored(const Image& image, std::int64_t photo_width) {
  Image result = image;
  const std::filesystem::path name(image.name);
  result.name = name.stem().string() + ".mirrored" + name.extension().string();
  result.photo = mirrored_photo(image.photo);
  result.mirrored = true;
  result.pixels = flipped(image.pixels);
  if (image.valid) result.valid = flipped(*image.valid);
  if (image.face) result.face = flipped(*image.face, image.width());
  result.crop_left = photo_width - image.crop_left - image.width();
  return result;
}

}  // namespace atelier
