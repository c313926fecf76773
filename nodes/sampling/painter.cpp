#include "sampling/painter.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diffusion/safetensors.h"
#include "model/base_model.h"
#include "model/tensors.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

std::string check_size(const PaintSettings& settings, std::int64_t multiple) {
  if (settings.width_px % multiple == 0 && settings.height_px % multiple == 0) return {};
  return fmt::format("pictures of {} x {} px: this base takes multiples of {} px", settings.width_px,
                     settings.height_px, multiple);
}

// Whether the text encoders have the LoRA's layers; those of the UNet are its own to check.
Expected<void> check_text_layers(const diffusion::Lora& lora, const diffusion::TextEncoders& encoders) {
  const auto targets = encoders.adaptable_layers();
  for (const auto& [name, layer] : lora.layers) {
    if (diffusion::part_of(name) == diffusion::LoraPart::unet) continue;
    const auto found = std::ranges::lower_bound(targets, name, {}, &diffusion::LoraTarget::name);
    if (found == targets.end() || found->name != name)
      return failure(fmt::format("LoRA layer '{}': the base model has no such layer", name));
    if (!diffusion::fits(layer, found->weight_shape))
      return failure(fmt::format("LoRA layer '{}': changes a weight of shape {}, the base model's is {}", name,
                                 diffusion::shape_text(layer.delta_shape()),
                                 diffusion::shape_text(found->weight_shape)));
  }
  return {};
}

// The negative prompt's part of the grammar that is about words.
Expected<std::optional<diffusion::ParsedPrompt>> parse_negative(const std::optional<std::string>& negative) {
  if (!negative) return std::optional<diffusion::ParsedPrompt>();
  auto parsed = diffusion::parse_prompt(*negative);
  if (!parsed) return passed_on(parsed.error());
  if (!parsed->loras.empty())
    return failure(fmt::format("the negative prompt \"{}\" names the LoRA '{}'; only a prompt can use one", *negative,
                               parsed->loras.front().name));
  return std::optional(*std::move(parsed));
}

// SDXL is told the picture's size, uncropped; [1, 6].
at::Tensor size_conditioning(double height_px, double width_px) {
  return at::tensor({height_px, width_px, 0.0, 0.0, height_px, width_px}, at::kFloat).unsqueeze(0);
}

// What has been done of two passes over pictures of unequal size.
Painter::Progress share_of(const Painter::Progress& progress, double from, double to) {
  return [&progress, from, to](double part) { return progress(from + part * (to - from)); };
}

}  // namespace

Expected<Painter> Painter::create(const Model& base, const PaintSettings& settings, Device& device, PaintWords words) {
  const auto model = open_base(base);
  if (!model) return tl::unexpected(model.error());
  auto sized = settings;
  if (sized.width_px == 0) sized.width_px = native_size(*model);
  if (sized.height_px == 0) sized.height_px = native_size(*model);
  if (auto wrong = check_size(sized, size_multiple(*model)); !wrong.empty()) return failure(wrong);

  const auto text = resident_text_encoders(base, device);
  if (!text) return tl::unexpected(text.error());
  auto encoder = diffusion::PromptEncoder::create(**text, std::move(words.embeddings));
  if (!encoder) return passed_on(encoder.error());
  // LoRAs that are merged by another method than the sum are in the parts' weights.
  LoraShelf shelf{base.merge ? std::vector<FusedLora>() : base.loras, std::move(words.lora_names)};
  Painter painter(std::move(sized), std::move(shelf), model->scheduler_config(), *std::move(encoder));
  painter.zeros_without_negative_ = model->zeros_without_negative();
  const auto vae = resident_vae(base, device);
  if (!vae) return tl::unexpected(vae.error());
  const auto unet = resident_unet(base, device, painter.settings_.dtype);
  if (!unet) return tl::unexpected(unet.error());
  painter.vae_ = *vae, painter.unet_ = *unet;
  return painter;
}

Expected<PreparedPrompt> Painter::prepare(const std::string& prompt) const {
  const auto parsed = diffusion::parse_prompt(prompt);
  if (!parsed) return passed_on(parsed.error());
  const auto negative = parse_negative(settings_.negative);
  if (!negative) return tl::unexpected(negative.error());
  auto uses = choose_loras(shelf_, *parsed);
  if (!uses) return tl::unexpected(uses.error());
  const auto sum = sum_of(shelf_, *uses);
  if (!sum) return tl::unexpected(sum.error());
  if (const auto fits = unet_->check(*sum); !fits) return passed_on(fits.error());
  if (const auto fits = check_text_layers(*sum, encoder_.encoders()); !fits) return tl::unexpected(fits.error());

  PreparedPrompt prepared{prompt, *std::move(uses), diffusion::adapters_of(*sum).to(unet_->device()), {}};
  diffusion::PromptRun run;
  run.clip_skip = settings_.clip_skip;
  run.adapters = &prepared.adapters;
  run.zeros_without_negative = zeros_without_negative_;
  auto words = encoder_.encode_guided(*parsed, *negative, run);
  if (!words) return passed_on(words.error());
  prepared.words = *std::move(words);
  return prepared;
}

diffusion::SampleRequest Painter::request_for(const PreparedPrompt& prompt,
                                              std::span<const std::uint64_t> seeds) const {
  const auto downscale = vae_->config().downscale();
  diffusion::SampleRequest request;
  request.positive = prompt.words.prompt;
  request.negative = prompt.words.negative;
  request.seeds.assign(seeds.begin(), seeds.end());
  request.height = settings_.height_px / downscale;
  request.width = settings_.width_px / downscale;
  request.sampler = settings_.sampler;
  request.spacing = settings_.spacing;
  request.steps = settings_.steps;
  request.guidance = settings_.guidance;
  request.guidance_rescale = settings_.guidance_rescale;
  request.batch = settings_.batch_size;
  request.guide_in_one_pass = !settings_.low_memory;
  return request;
}

Expected<at::Tensor> Painter::sample(const PreparedPrompt& prompt, const diffusion::SampleRequest& request,
                                     const Progress& progress) const {
  auto sized = request;
  const auto downscale = static_cast<double>(vae_->config().downscale());
  if (prompt.words.prompt.pooled.defined())
    sized.time_ids = size_conditioning(static_cast<double>(request.height) * downscale,
                                       static_cast<double>(request.width) * downscale);
  const auto latents =
      diffusion::sample_latents(*unet_, scheduler_, prompt.adapters, sized, [&](std::int64_t done, std::int64_t all) {
        return progress(static_cast<double>(done) / static_cast<double>(all));
      });
  if (!latents) return passed_on(latents.error());
  if (!*latents) return failure("sampling was stopped", ErrorKind::stopped);
  return **latents;
}

Expected<at::Tensor> Painter::decode(const at::Tensor& latents) const {
  const auto images = vae_->decode(latents.to(unet_->device()) / vae_->config().scaling_factor, vae_pass());
  if (!images) return passed_on(images.error());
  return images->cpu();
}

// The pictures enlarged as pictures, not as latents, which blur at strengths this low.
Expected<at::Tensor> Painter::sample_larger(const PreparedPrompt& prompt, diffusion::SampleRequest request,
                                            const at::Tensor& latents, const Progress& progress) const {
  const auto larger = [&](std::int64_t side) {
    return static_cast<std::int64_t>(std::llround(static_cast<double>(side) * settings_.second_pass.scale));
  };
  const auto downscale = vae_->config().downscale();
  request.height = larger(request.height);
  request.width = larger(request.width);
  if (settings_.second_pass.steps > 0) request.steps = settings_.second_pass.steps;
  request.strength = settings_.second_pass.strength;

  const auto images = decode(latents);
  if (!images) return tl::unexpected(images.error());
  const auto enlarged =
      at::upsample_bicubic2d(images->clamp(-1, 1), {request.height * downscale, request.width * downscale},
                             /*align_corners=*/false)
          .clamp(-1, 1);
  const auto posterior = vae_->encode(enlarged.to(unet_->device()), vae_pass());
  if (!posterior) return passed_on(posterior.error());
  request.latents = posterior->mean * vae_->config().scaling_factor;
  return sample(prompt, request, progress);
}

Expected<std::vector<Picture>> Painter::paint(const PreparedPrompt& prompt, std::span<const std::uint64_t> seeds,
                                              const Progress& progress) const {
  const auto request = request_for(prompt, seeds);
  const auto& second = settings_.second_pass;
  const double second_cost = second.wanted() ? second.scale * second.scale * second.strength : 0;
  const double first_share = 1 / (1 + second_cost);
  auto latents = sample(prompt, request, share_of(progress, 0, first_share));
  if (latents && second.wanted())
    latents = sample_larger(prompt, request, *latents, share_of(progress, first_share, 1));
  if (!latents) return tl::unexpected(latents.error());
  const auto images = decode(*latents);
  if (!images) return tl::unexpected(images.error());

  const auto pixels = diffusion::to_pixels(*images);  // [N, H, W, 3]
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < seeds.size(); ++i)
    pictures.push_back({"", as_tensor(pixels[static_cast<std::int64_t>(i)]),
                        facts_of(settings_, prompt.text, seeds[i], shelf_, prompt.uses)});
  return pictures;
}

Expected<Picture> Painter::paint(const std::string& name, const std::string& prompt, std::uint64_t seed,
                                 const Progress& progress) const {
  const auto prepared = prepare(prompt);
  if (!prepared) return tl::unexpected(prepared.error());
  auto pictures = paint(*prepared, std::span(&seed, 1), progress);
  if (!pictures) return tl::unexpected(pictures.error());
  pictures->front().name = name;
  return std::move(pictures->front());
}

}  // namespace atelier
