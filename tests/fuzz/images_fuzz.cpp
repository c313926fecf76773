// Fuzz target: any bytes as a photo: its format, its size before memory is spent on it, its orientation, its pixels.
#include "fuzz_target.h"
#include "image/decode.h"
#include "image/exif.h"

namespace atelier::fuzz {
namespace {

constexpr std::int64_t kMostPixels = 64 * 64;  // what the corpus has, and little enough for many inputs a second

void promise_picture(const Decoded& picture) {
  promise(picture.rgb.type() == CV_8UC3 && !picture.rgb.empty());
  promise(std::int64_t{picture.rgb.rows} * picture.rgb.cols <= kMostPixels);
  if (!picture.alpha.empty()) promise(picture.alpha.type() == CV_8UC1 && picture.alpha.size() == picture.rgb.size());
}

}  // namespace
}  // namespace atelier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atelier::fuzz;
  const auto file = std::as_bytes(std::span(data, size));
  const auto picture = atelier::decode_photo(file, {kMostPixels});
  if (picture)
    promise_picture(*picture);
  else
    promise(!picture.error().message.empty() && picture.error().message.find('\n') == std::string::npos);
  const int orientation = atelier::orientation_of_file(file);
  promise(orientation >= 1 && orientation <= 8);
  (void)atelier::exif_orientation(file);
  return 0;
}
