// libjpeg itself rather than OpenCV's imdecode, which gives a photo that was cut off as a picture that is half grey and
// says so on stderr alone.
#include <cstdio>  // before jpeglib.h, which needs it

#include <jerror.h>
#include <jpeglib.h>

#include <fmt/format.h>

#include <csetjmp>

#include "image/decode.h"

namespace atelier {
namespace {

enum class Damage { none, cut_off, damaged };

// A scan costs a pass over the whole picture, and a few bytes of a file. Encoders write about ten.
constexpr int kMostScans = 100;

struct Trouble {
  jpeg_error_mgr manager;  // first: libjpeg hands out a pointer to it
  std::jmp_buf leave;
  Damage damage = Damage::none;
  bool too_many_scans = false;
};

Trouble& trouble_of(j_common_ptr info) { return *reinterpret_cast<Trouble*>(info->err); }

[[noreturn]] void leave(j_common_ptr info) { std::longjmp(trouble_of(info).leave, 1); }

void judge(j_common_ptr info, int level) {
  if (level >= 0) return;  // traces
  auto& trouble = trouble_of(info);
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
      trouble.damage = Damage::cut_off;
      break;
    case JWRN_EXTRANEOUS_DATA:  // harmless, and common in what phones and web sites write
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
      break;
    default:
      if (trouble.damage == Damage::none) trouble.damage = Damage::damaged;
  }
}

void count_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
  trouble_of(info).too_many_scans = true;
  leave(info);
}

void be_silent(j_common_ptr) {}

// CMYK as Adobe writes it, inverted: what is left of the light after ink.
void to_rgb(const cv::Mat& cmyk, cv::Mat& rgb) {
  rgb.create(cmyk.size(), CV_8UC3);
  for (int y = 0; y < cmyk.rows; ++y)
    for (int x = 0; x < cmyk.cols; ++x)
      for (int c = 0; c < 3; ++c) {
        const auto& from = cmyk.at<cv::Vec4b>(y, x);
        rgb.at<cv::Vec3b>(y, x)[c] = static_cast<std::uint8_t>((from[c] * from[3] + 127) / 255);
      }
}

// Of one decompression. What has a destructor lives in the caller's frame, which longjmp does not leave.
struct Decoding {
  jpeg_decompress_struct info{};
  Trouble trouble{};
  jpeg_progress_mgr progress{};
  cv::Mat picture;
  Expected<void> size_fits;
  ~Decoding() { jpeg_destroy_decompress(&info); }
};

bool decompress(Decoding& d, std::span<const std::byte> file, const DecodeLimits& limits) {
  if (setjmp(d.trouble.leave)) return false;
  jpeg_mem_src(&d.info, reinterpret_cast<const unsigned char*>(file.data()), static_cast<unsigned long>(file.size()));
  jpeg_read_header(&d.info, TRUE);
  d.size_fits = check_size(d.info.image_width, d.info.image_height, limits);
  if (!d.size_fits) return false;
  const bool inks = d.info.num_components == 4;
  d.info.out_color_space = inks ? JCS_CMYK : JCS_RGB;
  d.info.dct_method = JDCT_ISLOW;  // exact integers: the same on every machine
  jpeg_start_decompress(&d.info);
  d.picture.create(static_cast<int>(d.info.output_height), static_cast<int>(d.info.output_width),
                   inks ? CV_8UC4 : CV_8UC3);
  while (d.info.output_scanline < d.info.output_height) {
    JSAMPROW row = d.picture.ptr(static_cast<int>(d.info.output_scanline));
    jpeg_read_scanlines(&d.info, &row, 1);
  }
  jpeg_finish_decompress(&d.info);
  return true;
}

}  // namespace

Expected<Decoded> decode_jpeg(std::span<const std::byte> file, const DecodeLimits& limits) {
  Decoding d;
  d.info.err = jpeg_std_error(&d.trouble.manager);
  d.trouble.manager.error_exit = leave;
  d.trouble.manager.emit_message = judge;
  d.trouble.manager.output_message = be_silent;
  jpeg_create_decompress(&d.info);
  d.progress.progress_monitor = count_scans;
  d.info.progress = &d.progress;
  const bool complete = decompress(d, file, limits);
  if (!d.size_fits) return tl::unexpected(d.size_fits.error());
  if (d.trouble.too_many_scans)
    return failure(fmt::format("the file has more than {} scans, which no camera writes (JPEG)", kMostScans));
  if (d.trouble.damage == Damage::cut_off) return failure("the file is cut off (JPEG)");
  if (!complete || d.trouble.damage == Damage::damaged) return failure("the file is damaged (JPEG)");
  if (d.picture.channels() == 3) return Decoded{d.picture, {}};
  Decoded decoded;
  to_rgb(d.picture, decoded.rgb);
  return decoded;
}

}  // namespace atelier
