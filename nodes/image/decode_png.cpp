// libpng itself rather than OpenCV's imdecode, which writes its complaints to stderr.
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "image/decode.h"

namespace atelier {
namespace {

// Of one decoding. What has a destructor lives in the caller's frame, which longjmp does not leave.
struct Decoding {
  std::span<const std::byte> rest;
  bool ran_out = false;
  png_structp png = nullptr;
  png_infop info = nullptr;
  cv::Mat rgba;
  std::vector<png_bytep> rows;
  Expected<void> size_fits;
  ~Decoding() { png_destroy_read_struct(&png, &info, nullptr); }
};

void take(png_structp png, png_bytep to, png_size_t size) {
  auto& d = *static_cast<Decoding*>(png_get_io_ptr(png));
  d.ran_out = d.rest.size() < size;
  if (d.ran_out) png_error(png, "cut off");
  std::memcpy(to, d.rest.data(), size);
  d.rest = d.rest.subspan(size);
}

void leave(png_structp png, png_const_charp) { png_longjmp(png, 1); }
void be_silent(png_structp, png_const_charp) {}

bool read(Decoding& d, const DecodeLimits& limits) {
  if (setjmp(png_jmpbuf(d.png))) return false;
  png_set_read_fn(d.png, &d, take);
  // What only says something about the picture is passed over: libpng allocates as much as such a chunk says it has.
  png_set_keep_unknown_chunks(d.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(d.png, d.info);
  const auto width = png_get_image_width(d.png, d.info), height = png_get_image_height(d.png, d.info);
  d.size_fits = check_size(width, height, limits);
  if (!d.size_fits) return false;
  png_set_scale_16(d.png);  // 16 bits to 8, rounded
  png_set_expand(d.png);    // palettes, 1 to 4 bits, a transparent colour
  png_set_gray_to_rgb(d.png);
  png_set_add_alpha(d.png, 255, PNG_FILLER_AFTER);
  png_set_interlace_handling(d.png);
  png_read_update_info(d.png, d.info);
  d.rgba.create(static_cast<int>(height), static_cast<int>(width), CV_8UC4);
  for (int y = 0; y < d.rgba.rows; ++y) d.rows.push_back(d.rgba.ptr(y));
  png_read_image(d.png, d.rows.data());
  png_read_end(d.png, nullptr);
  return true;
}

}  // namespace

Expected<Decoded> decode_png(std::span<const std::byte> file, const DecodeLimits& limits) {
  Decoding d;
  d.rest = file;
  d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, leave, be_silent);
  d.info = d.png ? png_create_info_struct(d.png) : nullptr;
  const bool complete = d.info && read(d, limits);
  if (!d.size_fits) return tl::unexpected(d.size_fits.error());
  if (d.ran_out) return failure("the file is cut off (PNG)");
  if (!complete) return failure("the file is damaged (PNG)");
  return on_white(d.rgba);
}

}  // namespace atelier
