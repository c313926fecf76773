#include "training/signed_pixels.h"

#include <ATen/ATen.h>

#include "model/tensors.h"

namespace atelier {
namespace {

constexpr double kHalfOfByte = 127.5;  // 0 … 255 to -1 … 1

}  // namespace

at::Tensor signed_pixels(const at::Tensor& pixels) {
  return pixels.permute({2, 0, 1}).to(at::kFloat).div_(kHalfOfByte).sub_(1);
}

at::Tensor signed_pixels(const Image& image) { return signed_pixels(as_torch(image.pixels)); }

}  // namespace atelier
