#include "diffusion/sampler.h"

#include <ATen/core/grad_mode.h>

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "diffusion/ddim.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

/// The model's prediction for one sample, guided where the request wants guidance.
at::Tensor predict(const UNet& unet, const Adapters& adapters, const SampleRequest& request, const at::Tensor& context,
                   const at::Tensor& sample, int64_t t) {
  const bool guided = request.guidance > 1;
  const int64_t rows = guided ? 2 : 1;
  const at::Tensor timesteps = at::full({rows}, t, sample.options().dtype(at::kLong));
  const at::Tensor prediction = unet.forward({sample.expand({rows, -1, -1, -1}), timesteps, context}, adapters);
  return guided ? guide(prediction.slice(0, 0, 1), prediction.slice(0, 1, 2), request.guidance) : prediction;
}

Result<at::Tensor> context_of(const SampleRequest& request) {
  if (request.guidance <= 1) return request.prompt;
  if (!request.negative.defined()) return fail("sampling: guidance above 1 needs the negative prompt's embedding");
  if (request.negative.sizes() != request.prompt.sizes())
    return fail(fmt::format("sampling: the prompt's embedding has shape {}, the negative prompt's {}",
                            shape_text(request.prompt.sizes()), shape_text(request.negative.sizes())));
  return at::cat({request.negative, request.prompt});  // without guidance first, as diffusers has it
}

/// Progress over the seeds of a request: a seed's steps come after those of the seeds before it.
SampleProgress shifted(const SampleProgress& progress, int64_t before, int64_t total) {
  if (!progress) return {};
  return [&progress, before, total](int64_t done, int64_t) { return progress(before + done, total); };
}

}  // namespace

at::Tensor start_noise(uint64_t seed, int64_t channels, int64_t height, int64_t width) {
  return at::randn({1, channels, height, width}, at::detail::createCPUGenerator(seed),
                   at::TensorOptions().dtype(at::kFloat));
}

Result<std::optional<at::Tensor>> sample_from(const UNet& unet, const SchedulerConfig& scheduler,
                                              const Adapters& adapters, const SampleRequest& request,
                                              const at::Tensor& start, const SampleProgress& progress) {
  const at::NoGradGuard no_grad;
  const auto ddim = Ddim::create(scheduler, request.steps);
  if (!ddim) return tl::unexpected(ddim.error());
  auto context = context_of(request);
  if (!context) return tl::unexpected(context.error());
  *context = context->to(unet.device());
  at::Tensor sample = start.to(unet.device());
  const auto fits = unet.check({sample, at::zeros({1}, at::kLong), context->slice(0, 0, 1)});
  if (!fits) return tl::unexpected(fits.error());

  int64_t done = 0;
  for (const int64_t t : ddim->timesteps()) {
    sample = ddim->step(predict(unet, adapters, request, *context, sample, t), sample, t);
    if (progress && !progress(++done, request.steps)) return std::nullopt;
  }
  return sample.cpu();
}

Result<std::optional<at::Tensor>> sample_latents(const UNet& unet, const SchedulerConfig& scheduler,
                                                 const Adapters& adapters, const SampleRequest& request,
                                                 const SampleProgress& progress) {
  std::vector<at::Tensor> latents;
  const int64_t total = static_cast<int64_t>(request.seeds.size()) * request.steps;
  for (const uint64_t seed : request.seeds) {
    const int64_t before = static_cast<int64_t>(latents.size()) * request.steps;
    const at::Tensor start = start_noise(seed, unet.config().in_channels, request.height, request.width);
    auto painted = sample_from(unet, scheduler, adapters, request, start, shifted(progress, before, total));
    if (!painted) return tl::unexpected(painted.error());
    if (!*painted) return std::nullopt;
    latents.push_back(**painted);
  }
  if (latents.empty()) return fail("sampling: no seed was given");
  return at::cat(latents);
}

at::Tensor to_pixels(const at::Tensor& images) {
  const at::Tensor unit = (images / 2 + 0.5).clamp(0, 1);
  return unit.mul(255).round().to(at::kByte).permute({0, 2, 3, 1}).contiguous();  // [N, H, W, 3]
}

}  // namespace atelier::diffusion
