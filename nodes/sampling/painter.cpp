#include "sampling/painter.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "diffusion/sampling.h"
#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/loras.h"
#include "model/tensors.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

std::string check_size(const PaintSettings& settings, std::int64_t multiple) {
  if (settings.width_px % multiple == 0 && settings.height_px % multiple == 0) return {};
  return fmt::format("pictures of {} x {} px: this base takes multiples of {} px", settings.width_px,
                     settings.height_px, multiple);
}

bool adapts_text_encoders(const diffusion::Lora& lora) {
  return diffusion::has_part(lora, diffusion::LoraPart::text_encoder) ||
         diffusion::has_part(lora, diffusion::LoraPart::text_encoder_2);
}

}  // namespace

Expected<Painter> Painter::create(const Model& model, const PaintSettings& settings, Device& device) {
  const auto folder = open_base(model);
  if (!folder) return tl::unexpected(folder.error());
  Painter painter(settings, folder->scheduler_config());
  const auto own_size = folder->unet_config().sample_size * folder->vae_config().downscale();
  if (painter.settings_.width_px == 0) painter.settings_.width_px = own_size;
  if (painter.settings_.height_px == 0) painter.settings_.height_px = own_size;
  if (auto wrong = check_size(painter.settings_, size_multiple(*folder)); !wrong.empty()) return failure(wrong);
  if (auto loaded = painter.load(model, device); !loaded) return tl::unexpected(loaded.error());
  return painter;
}

Expected<void> Painter::load(const Model& model, Device& device) {
  const auto vae = resident_vae(model, device);
  if (!vae) return tl::unexpected(vae.error());
  const auto unet = resident_unet(model, device);
  if (!unet) return tl::unexpected(unet.error());
  vae_ = *vae, unet_ = *unet;
  const auto sum = sum_of(model.loras);
  if (!sum) return tl::unexpected(sum.error());
  if (const auto fits = unet_->check(*sum); !fits) return passed_on(fits.error());
  adapters_ = diffusion::adapters_of(*sum).to(unet_->device());
  return load_text_encoders(model, *sum, device);
}

// The base's own, shared; or, for LoRAs from elsewhere that adapt them, those made for this model.
Expected<void> Painter::load_text_encoders(const Model& model, const diffusion::Lora& sum, Device& device) {
  if (!adapts_text_encoders(sum)) {
    const auto text = resident_text_encoders(model, device);
    if (!text) return tl::unexpected(text.error());
    text_ = *text;
    return {};
  }
  const auto base = open_base(model);
  if (!base) return tl::unexpected(base.error());
  using enum diffusion::ModelPart;
  const auto fused = fused_weights(model, *base, {text_encoder, text_encoder_2});
  if (!fused) return tl::unexpected(fused.error());
  auto text = base->text_encoders({torch_device(device.id()), at::kFloat}, *fused);
  if (!text) return passed_on(text.error());
  text_ = std::move(*text);
  return {};
}

Expected<diffusion::TextConditioning> Painter::told(const std::string& prompt) const {
  auto words = text_->encode_captions({&prompt, 1});
  if (!words) return passed_on(words.error());
  return std::move(*words);
}

nlohmann::json Painter::metadata(const std::string& prompt, std::uint64_t seed) const {
  return {{"prompt", prompt},         {"negative_prompt", settings_.negative}, {"seed", seed},
          {"steps", settings_.steps}, {"guidance", settings_.guidance},        {"sampler", "DDIM"}};
}

Expected<Picture> Painter::paint(const std::string& name, const std::string& prompt, std::uint64_t seed,
                                 const std::function<bool(double)>& progress) const {
  const auto with = told(prompt), without = told(settings_.negative);
  if (!with) return tl::unexpected(with.error());
  if (!without) return tl::unexpected(without.error());
  const auto downscale = vae_->config().downscale();
  diffusion::SampleRequest request;
  request.positive = *with;
  request.negative = *without;
  request.seeds = {seed};
  request.height = settings_.height_px / downscale;
  request.width = settings_.width_px / downscale;
  request.steps = settings_.steps;
  request.guidance = settings_.guidance;
  const auto latents =
      diffusion::sample_latents(*unet_, scheduler_, adapters_, request, [&](std::int64_t done, std::int64_t all) {
        return progress(static_cast<double>(done) / static_cast<double>(all));
      });
  if (!latents) return passed_on(latents.error());
  if (!*latents) return failure("sampling was stopped", ErrorKind::stopped);
  const auto image = vae_->decode((**latents).to(unet_->device()) / vae_->config().scaling_factor);  // [1, 3, H, W]
  if (!image) return passed_on(image.error());
  return Picture{name, as_tensor(diffusion::to_pixels(*image)[0]), metadata(prompt, seed)};
}

}  // namespace atelier
