// Large maps in overlapping tiles, blended where they overlap: memory then depends on the tile, not on the map.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace atelier::diffusion {

/// Squares that overlap by a quarter of their side, in the map that goes in and in the one that comes out.
struct Tiles {
  int64_t in;   ///< side of a tile that goes in; a multiple of 4, or steps and blends would not agree
  int64_t out;  ///< side of what comes out for it; a multiple of 4
};

/// `run` for each tile of `x` [N, C, H, W], put together as diffusers' AutoencoderKL puts its tiles: each is blended
/// linearly into the one above and the one to the left, over a quarter of its side. Tiles at the right and the lower
/// edge may be smaller. `run` may change channels; its tiles are changed in place.
at::Tensor run_in_tiles(const at::Tensor& x, Tiles tiles, const std::function<at::Tensor(const at::Tensor&)>& run);

}  // namespace atelier::diffusion
