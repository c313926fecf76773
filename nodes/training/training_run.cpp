#include "training/training_run.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "model/torch_call.h"
#include "sampling/painter.h"
#include "sampling/preview.h"
#include "training/training_loop.h"

namespace atelier {

ValidationSettings ValidationSettings::of(const Params& params) {
  ValidationSettings settings;
  settings.every = params.integer("validation_every");
  settings.keep_best = params.boolean("keep_best");
  settings.prompts = params.texts("validation_prompts");
  settings.seeds = params.integers("validation_seeds");
  settings.sampling_steps = params.integer("validation_sampling_steps");
  return settings;
}

TrainingRun::TrainingRun(const TrainSetup& setup, const Job& job, Device& device, const RowTexts& texts,
                         ModelNow model_now)
    : setup_(setup),
      context_(job.context),
      device_(device),
      texts_(texts),
      model_now_(std::move(model_now)),
      plan_(setup.datasets, job.params.integer("batch_size") * job.params.integer("gradient_accumulation"),
            job.params.integer("seed")),
      validation_(ValidationSettings::of(job.params)),
      checkpoint_every_(job.params.integer("checkpoint_every")) {}

void TrainingRun::resume(diffusion::Trainer& trainer) {
  auto checkpoint = resumed(context_, [&](const auto& state) { return trainer.restore({state}); });
  if (!checkpoint) return;
  validations_ = std::move(checkpoint->validations);
  saved_step_ = trainer.steps();
  for (const auto& picture : validations_.pictures.items) show(picture);
}

Expected<void> TrainingRun::save(const diffusion::Trainer& trainer) {
  auto saved = context_.save_checkpoint(checkpoint_of({trainer.state(), validations_}, setup_.steps));
  if (saved) saved_step_ = trainer.steps();
  return saved;
}

std::string TrainingRun::last_good() const {
  if (!saved_step_) return "no checkpoint was saved before";
  return fmt::format("the last good checkpoint is that of step {}", *saved_step_);
}

Expected<void> TrainingRun::step(diffusion::Trainer& trainer) {
  const auto step = trainer.steps();
  const auto batches = training_batches(setup_.datasets, plan_, plan_.step(step), setup_.batch, texts_);
  if (!batches) return tl::unexpected(batches.error());
  const auto results = trainer.step(*batches);
  if (!results) return failure(fmt::format("{}; {}", results.error().message, last_good()));
  context_.metric("loss", step, results->front().loss);
  context_.metric("gradient_norm", step, results->front().gradient_norm);
  context_.metric("learning_rate", step, results->front().rate);
  context_.progress(static_cast<double>(step + 1) / static_cast<double>(setup_.steps),
                    fmt::format("step {}/{}", step + 1, setup_.steps));
  return {};
}

// As the training's own loss: the datasets' means, mixed by their shares.
Expected<double> TrainingRun::held_out_loss(diffusion::Trainer& trainer) const {
  const auto photos = held_out_photos(setup_.datasets, setup_.batch, texts_);
  if (!photos) return tl::unexpected(photos.error());
  std::vector<double> sums(setup_.datasets.size()), counts(setup_.datasets.size());
  for (const auto& photo : *photos) {
    const auto losses = trainer.losses(photo.batch);
    if (!losses) return failure(losses.error().message);
    sums[photo.dataset] += losses->to(at::kDouble).mean().item<double>();
    counts[photo.dataset] += 1;
  }
  double loss = 0;
  for (std::size_t d = 0; d < sums.size(); ++d)
    if (counts[d] > 0) loss += plan_.row_weight(d) / static_cast<double>(sums.size()) * sums[d] / counts[d];
  return loss;
}

void TrainingRun::show(const Picture& picture) const {
  const auto png = preview_of(picture.pixels);
  if (png) context_.preview(std::filesystem::path(picture.name).stem().string(), *png);
}

Expected<void> TrainingRun::paint(const diffusion::Trainer& trainer) {
  if (validation_.prompts.empty()) return {};
  PaintSettings settings;
  settings.steps = validation_.sampling_steps;
  settings.clip_skip = setup_.text.clip_skip;
  settings.dtype = setup_.dtype;
  const auto& sizes = setup_.datasets.front().items.front().sizes;
  settings.width_px = sizes.target_width;
  settings.height_px = sizes.target_height;
  auto now = model_now_(trainer);
  const auto painter = Painter::create(now.model, settings, device_, {{}, std::move(now.words)});
  if (!painter) return tl::unexpected(painter.error());
  for (std::size_t p = 0; p < validation_.prompts.size(); ++p)
    for (const auto seed : validation_.seeds) {
      auto picture =
          painter->paint(fmt::format("step{:06}_{:04}_seed{}.png", trainer.steps(), p + 1, seed),
                         validation_.prompts[p], static_cast<std::uint64_t>(seed), [](double) { return true; });
      if (!picture) return tl::unexpected(picture.error());
      show(*picture);
      validations_.pictures.items.push_back(std::move(*picture));
    }
  return {};
}

Expected<void> TrainingRun::validate(diffusion::Trainer& trainer) {
  const auto loss = held_out_loss(trainer);
  if (!loss) return tl::unexpected(loss.error());
  context_.metric("validation_loss", trainer.steps() - 1, *loss);
  if (std::isfinite(*loss) && (!validations_.best || *loss < validations_.best->loss)) {
    validations_.best = {trainer.steps(), *loss, {}};
    if (validation_.keep_best) validations_.best->values = trainer.values();
  }
  return paint(trainer);
}

Expected<void> TrainingRun::step_and_validate(diffusion::Trainer& trainer) {
  if (auto done = step(trainer); !done) return done;
  const bool last = trainer.steps() == setup_.steps;
  if (validation_.every > 0 && (last || trainer.steps() % validation_.every == 0)) return validate(trainer);
  return {};
}

Expected<PictureSet> TrainingRun::finish(diffusion::Trainer& trainer) {
  resume(trainer);
  const auto done = run_steps({.steps = setup_.steps,
                               .checkpoint_every = checkpoint_every_,
                               .done = [&] { return trainer.steps(); },
                               .step = [&] { return step_and_validate(trainer); },
                               .save = [&] { return save(trainer); }},
                              context_);
  if (!done) return tl::unexpected(done.error());
  if (trainer.skipped() > 0)
    context_.warn(fmt::format("{} of {} steps changed nothing: float16 overflowed", trainer.skipped(), setup_.steps));
  if (!validation_.keep_best) return validations_.pictures;
  if (!validations_.best)
    return failure(
        fmt::format("no loss at validation was a finite number, so there is no best step to give; a lower "
                    "learning rate or another precision may help; {}",
                    last_good()));
  if (const auto put = trainer.set_values(validations_.best->values); !put) return passed_on(put.error());
  if (validations_.best->step != setup_.steps)
    context_.warn(fmt::format("the loss at validation was least after step {} of {}: that is what comes out",
                              validations_.best->step, setup_.steps));
  return validations_.pictures;
}

}  // namespace atelier
