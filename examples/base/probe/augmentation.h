// probe: pictures made worse, as those of a diffusion model are: shifted, blurred, smoothed, mottled, noisy, too bright
// or too dark. What they show stays what it was.
#pragma once
#include <ATen/core/Tensor.h>

#include "base/random.h"

namespace atelier::probe {

// [N, 3, H, W] float32 in [0, 1], from pictures like it; each picture under draws of its own, some left almost as they
// are. Deterministic by the stream.
at::Tensor augmented(const at::Tensor& pictures, const RandomStream& stream);

}  // namespace atelier::probe
