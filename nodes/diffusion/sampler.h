// From a prompt to pictures: DDIM with classifier-free guidance on a frozen UNet, with or without adapters.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <optional>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/config.h"
#include "diffusion/unet.h"

namespace atelier::diffusion {

/// What to paint: one picture for each seed.
struct SampleRequest {
  at::Tensor prompt;      ///< [1, 77, D] hidden states of the prompt
  at::Tensor negative{};  ///< [1, 77, D] of the negative prompt (the empty one by default); may be undefined when
                          ///< guidance is 1
  std::vector<uint64_t> seeds{};
  int64_t height = 64;  ///< of the latents: picture height / 8
  int64_t width = 64;
  int64_t steps = 30;
  double guidance = 7.5;  ///< 1 or less: without guidance
};

/// Called after each step with the steps done and all steps of all seeds; false stops the sampling.
using SampleProgress = std::function<bool(int64_t done, int64_t total)>;

/// The noise that a seed begins with, [1, channels, height, width]: what
/// `torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))` gives, so a seed means the same picture as
/// in diffusers. From torch's CPU generator on every device.
at::Tensor start_noise(uint64_t seed, int64_t channels, int64_t height, int64_t width);

/// The latents of each seed, [seeds, 4, height, width] float32 on the CPU, scaled as the UNet sees them. Every seed is
/// painted by itself, so that its picture does not depend on which others were asked for. Empty when `progress` stopped
/// it. Errors: shapes that the UNet does not take, a scheduler that is not supported.
Result<std::optional<at::Tensor>> sample_latents(const UNet& unet, const SchedulerConfig& scheduler,
                                                 const Adapters& adapters, const SampleRequest& request,
                                                 const SampleProgress& progress = {});

/// The same from a given start, [1, 4, h, w]; request.seeds, height and width are not looked at.
Result<std::optional<at::Tensor>> sample_from(const UNet& unet, const SchedulerConfig& scheduler,
                                              const Adapters& adapters, const SampleRequest& request,
                                              const at::Tensor& start, const SampleProgress& progress = {});

/// Pictures of decoded images in [-1, 1]: [N, 3, H, W] float32 -> [N, H, W, 3] uint8, rounded as diffusers does.
at::Tensor to_pixels(const at::Tensor& images);

}  // namespace atelier::diffusion
