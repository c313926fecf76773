// libwebp itself rather than OpenCV's imdecode, which hands what it cannot read to every other decoder it has.
#include <webp/decode.h>

#include "image/decode.h"

namespace atelier {
namespace {

tl::unexpected<Error> damaged() { return failure("the file is damaged or cut off (WebP)"); }

}  // namespace

Expected<Decoded> decode_webp(std::span<const std::byte> file, const DecodeLimits& limits) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(file.data());
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes, file.size(), &features) != VP8_STATUS_OK) return damaged();
  if (auto fits = check_size(features.width, features.height, limits); !fits) return tl::unexpected(fits.error());
  cv::Mat picture(features.height, features.width, features.has_alpha ? CV_8UC4 : CV_8UC3);
  const auto decode = features.has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  const auto stride = static_cast<int>(picture.step);
  if (!decode(bytes, file.size(), picture.data, picture.total() * picture.elemSize(), stride)) return damaged();
  return features.has_alpha ? on_white(picture) : Decoded{picture, {}};
}

}  // namespace atelier
