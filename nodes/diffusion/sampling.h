// From words to latents: a sampler walks from noise, or from a picture's latents, with classifier-free guidance on a
// frozen UNet, with or without adapters.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/sampler.h"
#include "diffusion/text_conditioning.h"
#include "diffusion/unet.h"

namespace atelier::diffusion {

/// What to paint: one picture for each seed.
struct SampleRequest {
  TextConditioning positive{};     ///< of one text
  TextConditioning negative{};     ///< of one text, not always as long; may be empty when guidance is 1 or less
  at::Tensor time_ids{};           ///< [1, 6] SDXL's sizes, see UNetInput; undefined elsewhere
  at::Tensor negative_time_ids{};  ///< [1, 6] those told with the negative prompt; undefined: the same
  std::vector<uint64_t> seeds{};
  int64_t height = 64;  ///< of the latents: picture height / 8
  int64_t width = 64;
  SamplerKind sampler = SamplerKind::ddim;
  std::optional<TimestepSpacing> spacing{};  ///< instead of the scheduler configuration's
  int64_t steps = 30;
  double guidance = 7.5;          ///< 1 or less: without guidance
  double guidance_rescale = 0;    ///< in [0, 1], see rescale_guidance()
  int64_t batch = 1;              ///< seeds in one pass of the UNet; on the CPU always one, see sample_latents()
  bool guide_in_one_pass = true;  ///< with and without the prompt together; apart needs half the memory

  /// Image-to-image: latents to start from, [1, C, h, w] for all seeds or [seeds, C, h, w], scaled as the UNet sees
  /// them; their size instead of height and width. Undefined: from noise alone.
  at::Tensor latents{};
  double strength = 1.0;  ///< in (0, 1]: the last steps * strength of the steps are done, as in diffusers
};

/// Called after each pass of the UNet with the calls done and those of all seeds; false stops the sampling.
using SampleProgress = std::function<bool(int64_t done, int64_t total)>;

/// The noise that a seed begins with, [1, channels, height, width]: what
/// `torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))` gives, so a seed means the same picture as
/// in diffusers. From torch's CPU generator on every device.
at::Tensor start_noise(uint64_t seed, int64_t channels, int64_t height, int64_t width);

/// The latents of each seed, [seeds, C, height, width] float32 on the CPU, scaled as the UNet sees them. All that is
/// random comes from each seed's own streams, so its picture does not depend on which others were asked for: to the bit
/// on the CPU, where seeds are painted one by one, since libtorch's kernels round a row otherwise in another batch;
/// within rounding elsewhere. Fresh noise goes on where the seed's generator stood after the start, as in diffusers.
/// Empty when `progress` stopped it. Errors: shapes that the UNet does not take, steps and strengths that leave nothing
/// to do, a scheduler that is not supported.
Result<std::optional<at::Tensor>> sample_latents(const UNet& unet, const SchedulerConfig& scheduler,
                                                 const Adapters& adapters, const SampleRequest& request,
                                                 const SampleProgress& progress = {});

/// The random numbers of a batch of N rows.
struct SampleNoise {
  at::Tensor start;  ///< [N, C, h, w] of unit variance
  DrawNoise step{};  ///< asked by the samplers whose step_noise() is not none
};

/// The same with given random numbers, [N, C, h, w]; request.seeds, batch, height and width are not looked at.
Result<std::optional<at::Tensor>> sample_from(const UNet& unet, const SchedulerConfig& scheduler,
                                              const Adapters& adapters, const SampleRequest& request,
                                              const SampleNoise& noise, const SampleProgress& progress = {});

/// Pictures of decoded images in [-1, 1]: [N, 3, H, W] float32 -> [N, H, W, 3] uint8, rounded as diffusers does.
at::Tensor to_pixels(const at::Tensor& images);

}  // namespace atelier::diffusion
