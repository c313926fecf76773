// What the models make of a batch, and what it costs them.
#include <algorithm>

#include "diffusion/masked_loss.h"
#include "diffusion/snr_weights.h"
#include "diffusion/trainer_impl.h"

namespace atelier::diffusion {
namespace {

Result<TextConditioning> conditioning(const TrainingPass& pass, const TrainingBatch& rows, int64_t clip_skip) {
  if (!rows.encodes_text()) return rows.text;
  return pass.text->forward(rows.text_ids, {.clip_skip = clip_skip, .adapters = &pass.adapters, .extra = pass.extra});
}

}  // namespace

Result<void> Trainer::Impl::check(const TrainingBatch& batch) const {
  if (auto fits = check_batch(batch, tenants()); !fits) return fits;
  if (batch.encodes_text() && !base.text) return fail("training: the batch has text ids, the base no text encoders");
  const auto of_text = [](const TrainedTensor& tensor) { return tensor.part == TrainedPart::text; };
  if (!batch.encodes_text() && std::ranges::any_of(trained->tensors(), of_text))
    return fail("training: text encoders or words are trained, and the batch has no text ids");
  if (batch.encodes_text()) return {};
  return base.unet->check({batch.latents, batch.timesteps, batch.text.context, batch.text.pooled, batch.time_ids});
}

Result<at::Tensor> Trainer::Impl::row_losses(const TrainingBatch& rows, const Dropout& dropout) const {
  const TrainingPass pass = trained->pass(tenant_of_rows(rows, tenants()), dropout);
  const auto text = conditioning(pass, rows, options.clip_skip);
  if (!text) return tl::unexpected(text.error());
  const at::Tensor noisy = schedule.add_noise(rows.latents, rows.noise, rows.timesteps);
  const UNetInput input{noisy,        rows.timesteps, text->context,
                        text->pooled, rows.time_ids,  options.gradient_checkpointing};
  if (auto fits = pass.unet->check(input); !fits) return tl::unexpected(fits.error());
  const at::Tensor prediction = pass.unet->forward(input, pass.adapters);  // [N, 4, h, w] float32
  const at::Tensor target = schedule.target(rows.latents, rows.noise, rows.timesteps);

  at::Tensor mask = with_unmasked_weight(rows.masks, options.unmasked_weight);
  if (rows.validity.defined()) mask = mask * rows.validity;
  at::Tensor losses = masked_loss(prediction, target, mask, options.normalize);  // [N]
  if (options.min_snr_gamma > 0) losses = losses * min_snr_weights(schedule, rows.timesteps, options.min_snr_gamma);
  return rows.weights.defined() ? losses * rows.weights : losses;
}

}  // namespace atelier::diffusion
