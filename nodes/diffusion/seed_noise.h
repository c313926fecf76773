// The random numbers of pictures, each from its own seed: what one is does not depend on which others are painted.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "diffusion/brownian.h"
#include "diffusion/sampler.h"

namespace atelier::diffusion {

class SeedNoise {
 public:
  /// @param shape  of one picture's latents, [1, C, h, w]
  SeedNoise(std::span<const uint64_t> seeds, std::vector<int64_t> shape);

  /// The next numbers of each seed's torch generator, [seeds, C, h, w] on the CPU.
  at::Tensor fresh();

  /// What a sampler asks for; the Brownian paths reach to `greatest_sigma`. Refers to this object.
  DrawNoise for_steps(StepNoise kind, double greatest_sigma);

 private:
  std::vector<uint64_t> seeds_;
  std::vector<int64_t> shape_;
  std::vector<at::Generator> generators_;
  std::vector<BrownianPath> paths_;
};

}  // namespace atelier::diffusion
