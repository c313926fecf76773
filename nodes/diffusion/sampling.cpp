#include "diffusion/sampling.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "diffusion/guidance.h"
#include "diffusion/safetensors.h"
#include "diffusion/seed_noise.h"

namespace atelier::diffusion {
namespace {

bool is_guided(const SampleRequest& request) { return request.guidance > 1; }

/// What the UNet is told besides sample and timestep: a row for each picture.
struct Words {
  at::Tensor context, pooled, time_ids;

  Words expanded(int64_t rows) const {
    const auto each = [rows](const at::Tensor& one) {
      if (!one.defined()) return one;
      std::vector<int64_t> shape = one.sizes().vec();
      shape[0] = rows;
      return one.expand(shape);
    };
    return {each(context), each(pooled), each(time_ids)};
  }
};

Words joined(const Words& first, const Words& second) {
  const auto both = [](const at::Tensor& a, const at::Tensor& b) { return a.defined() ? at::cat({a, b}) : a; };
  return {both(first.context, second.context), both(first.pooled, second.pooled),
          both(first.time_ids, second.time_ids)};
}

/// The guided prediction of a UNet for one request.
class Prediction {
 public:
  Prediction(const UNet& unet, const Adapters& adapters, const SampleRequest& request)
      : unet_(unet), adapters_(adapters), request_(request), with_(words(request.positive, request.time_ids)) {
    const at::Tensor& sizes = request.negative_time_ids.defined() ? request.negative_time_ids : request.time_ids;
    if (is_guided(request)) without_ = words(request.negative, sizes);
  }

  /// @param input  [N, C, h, w]
  at::Tensor operator()(const at::Tensor& input, double t) const {
    if (!is_guided(request_)) return predict(input, t, with_);
    const auto [without, with] = both(input, t);
    return rescale_guidance(guide(without, with, request_.guidance), with, request_.guidance_rescale);
  }

  /// Whether the UNet takes the sample and the words.
  Result<void> check(const at::Tensor& sample) const {
    const at::Tensor one = sample.slice(0, 0, 1);
    for (const Words* each : {&with_, &without_}) {
      if (!each->context.defined()) continue;
      const auto fits = unet_.check({one, at::zeros({1}), each->context, each->pooled, each->time_ids});
      if (!fits) return fits;
    }
    return {};
  }

 private:
  Words words(const TextConditioning& text, const at::Tensor& time_ids) const {
    const auto here = [&](const at::Tensor& tensor) { return tensor.defined() ? tensor.to(unet_.device()) : tensor; };
    return {here(text.context), here(text.pooled), here(time_ids)};
  }

  at::Tensor predict(const at::Tensor& input, double t, const Words& words) const {
    const int64_t rows = input.size(0);
    const Words all = words.context.size(0) == rows ? words : words.expanded(rows);
    const at::Tensor timesteps = at::full({rows}, t, input.options().dtype(at::kFloat));
    return unet_.forward({input, timesteps, all.context, all.pooled, all.time_ids}, adapters_).to(at::kFloat);
  }

  /// Without guidance first, as diffusers has it. Texts of unequal length cannot share a pass.
  std::pair<at::Tensor, at::Tensor> both(const at::Tensor& input, double t) const {
    if (!request_.guide_in_one_pass || with_.context.size(1) != without_.context.size(1))
      return {predict(input, t, without_), predict(input, t, with_)};
    const int64_t rows = input.size(0);
    const Words words = joined(without_.expanded(rows), with_.expanded(rows));
    const at::Tensor prediction = predict(at::cat({input, input}), t, words);
    return {prediction.slice(0, 0, rows), prediction.slice(0, rows)};
  }

  const UNet& unet_;
  const Adapters& adapters_;
  const SampleRequest& request_;
  Words with_, without_;
};

std::string shape_or_none(const at::Tensor& tensor) { return tensor.defined() ? shape_text(tensor.sizes()) : "none"; }

Result<void> check_words(const SampleRequest& request) {
  const TextConditioning &with = request.positive, &without = request.negative;
  if (!with.context.defined() || with.context.dim() != 3 || with.context.size(0) != 1)
    return fail(fmt::format("sampling: the prompt's embedding has shape {}; it must be [1, tokens, width]",
                            shape_or_none(with.context)));
  if (!is_guided(request)) return {};
  if (!without.context.defined()) return fail("sampling: guidance above 1 needs the negative prompt's embedding");
  if (without.context.dim() != 3 || without.context.size(0) != 1 || without.context.size(2) != with.context.size(2))
    return fail(fmt::format("sampling: the prompt's embedding has shape {}, the negative prompt's {}",
                            shape_text(with.context.sizes()), shape_text(without.context.sizes())));
  if (shape_or_none(with.pooled) != shape_or_none(without.pooled))
    return fail(fmt::format("sampling: the prompt's pooled embedding has shape {}, the negative prompt's {}",
                            shape_or_none(with.pooled), shape_or_none(without.pooled)));
  return {};
}

/// How many of the steps are left out, as in diffusers' image-to-image pipelines.
Result<int64_t> first_step(const SampleRequest& request) {
  if (!request.latents.defined()) return 0;
  if (!(request.strength > 0 && request.strength <= 1))
    return fail(fmt::format("sampling: strength is {}; it must be above 0 and at most 1", request.strength));
  const auto done = static_cast<int64_t>(static_cast<double>(request.steps) * request.strength);
  if (done < 1)
    return fail(fmt::format("sampling: strength {} of {} steps leaves no step to do", request.strength, request.steps));
  return request.steps - std::min(done, request.steps);
}

/// A sampler for one run of the request, and the call it starts from.
struct Walk {
  std::unique_ptr<Sampler> sampler;
  std::size_t first_call = 0;

  std::size_t calls() const { return sampler->timesteps().size() - first_call; }
};

Result<Walk> start_walk(const SchedulerConfig& scheduler, const SampleRequest& request) {
  SchedulerConfig config = scheduler;
  if (request.spacing) config.timestep_spacing = request.spacing;
  auto sampler = make_sampler(request.sampler, config, request.steps);
  if (!sampler) return tl::unexpected(sampler.error());
  const auto skipped = first_step(request);
  if (!skipped) return tl::unexpected(skipped.error());
  const std::size_t first_call = static_cast<std::size_t>(*skipped) * (*sampler)->calls_per_step();
  return Walk{*std::move(sampler), first_call};
}

/// @param latents  of image-to-image for these rows, or undefined
Result<std::optional<at::Tensor>> walk_down(const Prediction& predict, Walk walk, const at::Tensor& latents,
                                            const SampleNoise& noise, at::Device device,
                                            const SampleProgress& progress) {
  Sampler& sampler = *walk.sampler;
  const at::Tensor start = noise.start.to(device);
  at::Tensor sample = latents.defined() ? sampler.add_noise(latents.to(device, at::kFloat), start, walk.first_call)
                                        : start * sampler.initial_scale();
  if (const auto fits = predict.check(sample); !fits) return tl::unexpected(fits.error());
  const DrawNoise draw = [&](double from, double to) { return noise.step(from, to).to(device); };
  const auto total = static_cast<int64_t>(walk.calls()) * sample.size(0);
  int64_t done = 0;
  for (std::size_t call = walk.first_call; call < sampler.timesteps().size(); ++call) {
    const at::Tensor prediction = predict(sampler.model_input(sample, call), sampler.timesteps()[call]);
    sample = sampler.step(prediction, sample, call, draw);
    done += sample.size(0);
    if (progress && !progress(done, total)) return std::nullopt;
  }
  return sample.cpu();
}

/// Progress over all seeds: a batch's calls come after those of the seeds before it.
SampleProgress shifted(const SampleProgress& progress, int64_t before, int64_t total) {
  if (!progress) return {};
  return [&progress, before, total](int64_t done, int64_t) { return progress(before + done, total); };
}

/// The size of one picture's latents, [1, C, h, w].
std::vector<int64_t> latent_shape(const UNet& unet, const SampleRequest& request) {
  if (request.latents.defined()) return {1, request.latents.size(1), request.latents.size(2), request.latents.size(3)};
  return {1, unet.config().in_channels, request.height, request.width};
}

Result<void> check_latents(const SampleRequest& request, int64_t pictures) {
  const at::Tensor& latents = request.latents;
  if (!latents.defined()) return {};
  if (latents.dim() != 4 || (latents.size(0) != 1 && latents.size(0) != pictures))
    return fail(fmt::format("sampling: the latents to start from have shape {}; expected [1, C, h, w] or [{}, C, h, w]",
                            shape_text(latents.sizes()), pictures));
  return {};
}

at::Tensor rows_of(const at::Tensor& latents, int64_t begin, int64_t count) {
  return latents.defined() && latents.size(0) > 1 ? latents.slice(0, begin, begin + count) : latents;
}

}  // namespace

at::Tensor start_noise(uint64_t seed, int64_t channels, int64_t height, int64_t width) {
  return SeedNoise({&seed, 1}, {1, channels, height, width}).fresh();
}

Result<std::optional<at::Tensor>> sample_from(const UNet& unet, const SchedulerConfig& scheduler,
                                              const Adapters& adapters, const SampleRequest& request,
                                              const SampleNoise& noise, const SampleProgress& progress) {
  const at::NoGradGuard no_grad;
  if (const auto ok = check_words(request); !ok) return tl::unexpected(ok.error());
  if (const auto ok = check_latents(request, noise.start.size(0)); !ok) return tl::unexpected(ok.error());
  auto walk = start_walk(scheduler, request);
  if (!walk) return tl::unexpected(walk.error());
  if (walk->sampler->step_noise() != StepNoise::none && !noise.step)
    return fail(fmt::format("sampling: {} needs noise for its steps", name_of(request.sampler).title));
  const Prediction predict(unet, adapters, request);
  return walk_down(predict, *std::move(walk), request.latents, noise, unet.device(), progress);
}

Result<std::optional<at::Tensor>> sample_latents(const UNet& unet, const SchedulerConfig& scheduler,
                                                 const Adapters& adapters, const SampleRequest& request,
                                                 const SampleProgress& progress) {
  const at::NoGradGuard no_grad;
  const auto pictures = static_cast<int64_t>(request.seeds.size());
  if (pictures == 0) return fail("sampling: no seed was given");
  if (const auto ok = check_words(request); !ok) return tl::unexpected(ok.error());
  if (const auto ok = check_latents(request, pictures); !ok) return tl::unexpected(ok.error());
  const Prediction predict(unet, adapters, request);
  const int64_t at_once = unet.device().is_cpu() ? 1 : std::max<int64_t>(1, request.batch);

  std::vector<at::Tensor> painted;
  for (int64_t begin = 0; begin < pictures; begin += at_once) {
    const int64_t rows = std::min(at_once, pictures - begin);
    auto walk = start_walk(scheduler, request);
    if (!walk) return tl::unexpected(walk.error());
    const auto calls = static_cast<int64_t>(walk->calls());
    SeedNoise numbers(std::span(request.seeds).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(rows)),
                      latent_shape(unet, request));
    const at::Tensor start = numbers.fresh();
    const SampleNoise noise{start, numbers.for_steps(walk->sampler->step_noise(), walk->sampler->sigmas().front())};
    auto latents = walk_down(predict, *std::move(walk), rows_of(request.latents, begin, rows), noise, unet.device(),
                             shifted(progress, begin * calls, pictures * calls));
    if (!latents) return latents;
    if (!*latents) return std::nullopt;
    painted.push_back(**latents);
  }
  return at::cat(painted);
}

at::Tensor to_pixels(const at::Tensor& images) {
  const at::Tensor unit = (images / 2 + 0.5).clamp(0, 1);
  return unit.mul(255).round().to(at::kByte).permute({0, 2, 3, 1}).contiguous();  // [N, H, W, 3]
}

}  // namespace atelier::diffusion
