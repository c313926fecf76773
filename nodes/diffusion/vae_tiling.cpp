#include "diffusion/vae_tiling.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace atelier::diffusion {
namespace {

constexpr int64_t kOverlap = 4;  // a tile overlaps the next by a fourth of its side
constexpr int64_t kHeight = 2, kWidth = 3;

/// The first rows (or columns) of `tile` become what lies between the last ones of `before` and its own.
void blend(const at::Tensor& before, at::Tensor& tile, int64_t dim, int64_t extent) {
  const int64_t n = std::min({before.size(dim), tile.size(dim), extent});
  std::vector<int64_t> along(4, 1);
  along[static_cast<std::size_t>(dim)] = n;
  const at::Tensor share = (at::arange(n, tile.options()) / static_cast<double>(n)).view(along);  // 0, 1/n, …
  at::Tensor own = tile.narrow(dim, 0, n);
  own.copy_(before.narrow(dim, before.size(dim) - n, n) * (1 - share) + own * share);
}

}  // namespace

at::Tensor run_in_tiles(const at::Tensor& x, Tiles tiles, const std::function<at::Tensor(const at::Tensor&)>& run) {
  const int64_t step = tiles.in - tiles.in / kOverlap, extent = tiles.out / kOverlap, kept = tiles.out - extent;
  std::vector<at::Tensor> above, bands;  // tiles of the row above; finished rows
  for (int64_t top = 0; top < x.size(kHeight); top += step) {
    const at::Tensor row = x.narrow(kHeight, top, std::min(tiles.in, x.size(kHeight) - top));
    std::vector<at::Tensor> current, pieces;
    for (int64_t left = 0; left < x.size(kWidth); left += step) {
      at::Tensor tile = run(row.narrow(kWidth, left, std::min(tiles.in, x.size(kWidth) - left)));
      if (!above.empty()) blend(above[current.size()], tile, kHeight, extent);
      if (!current.empty()) blend(current.back(), tile, kWidth, extent);
      pieces.push_back(tile.narrow(kHeight, 0, std::min(kept, tile.size(kHeight)))
                           .narrow(kWidth, 0, std::min(kept, tile.size(kWidth))));
      current.push_back(std::move(tile));
    }
    bands.push_back(at::cat(pieces, kWidth));
    above = std::move(current);
  }
  return at::cat(bands, kHeight);
}

}  // namespace atelier::diffusion
