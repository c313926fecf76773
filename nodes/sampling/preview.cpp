#include "sampling/preview.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "model/tensors.h"

namespace atelier {
namespace {

constexpr std::int64_t kPreviewSide =
    256;  // px, the longer one; small enough for a report with all pictures of a night

}  // namespace

Expected<std::vector<std::byte>> preview_of(const Tensor& pixels, const PngTexts& texts) {
  const auto height = pixels.shape()[0], width = pixels.shape()[1], longer = std::max(height, width);
  if (longer <= kPreviewSide) return encode_png(pixels, texts);
  const auto side = [&](std::int64_t length) { return std::max<std::int64_t>(1, length * kPreviewSide / longer); };
  const auto planes = as_torch(pixels).permute({2, 0, 1}).to(at::kFloat);  // [3, H, W]
  const auto small = at::adaptive_avg_pool2d(planes, {side(height), side(width)});
  return encode_png(as_tensor(small.round().to(at::kByte).permute({1, 2, 0})), texts);
}

}  // namespace atelier
