#include "training/train_vae_node.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "diffusion/latent_scale.h"
#include "diffusion/sampling.h"
#include "diffusion/vae_trainer.h"
#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/tensors.h"
#include "model/torch_call.h"
#include "sampling/preview.h"
#include "training/crop_visits.h"
#include "training/micro_batch.h"
#include "training/signed_pixels.h"
#include "training/train_params.h"
#include "training/train_setup.h"
#include "training/train_spec.h"
#include "training/training_loop.h"
#include "types/pictures.h"

namespace atelier {
namespace {

using diffusion::ModelPart;

constexpr std::size_t kShown = 8;       // images whose reconstructions are shown
constexpr std::size_t kMeasured = 256;  // images that the latents' scale is measured on
constexpr double kGuessedSecondsPerStep = 0.5;

std::vector<ParamSpec> loss_terms() {
  return {
      {.name = "reconstruction",
       .type = ValueType::text,
       .value = "l1",
       .summary = "What a pixel's error costs: its size, or its square.",
       .choices = {"l1", "l2"}},
      {.name = "gradient_weight",
       .type = ValueType::number,
       .value = 0.5,
       .summary = "What differences of edges cost, beside the reconstruction's 1; 0: nothing.",
       .minimum = 0,
       .maximum = 1000},
      {.name = "gradient_scales",
       .type = ValueType::integer,
       .value = 3,
       .summary = "At how many sizes edges are compared, each half of the one before.",
       .minimum = 1,
       .maximum = 8},
      {.name = "kl_weight",
       .type = ValueType::number,
       .value = 1e-6,
       .summary = "What the posterior's divergence from a unit normal costs, averaged over the numbers of a picture.",
       .minimum = 0,
       .maximum = 1000}};
}

std::vector<ParamSpec> own_params() {
  return {{.name = "crop",
           .type = ValueType::integer,
           .value = 256,
           .summary = "Side of the squares that are cut out of the images, a multiple of what the VAE halves to one.",
           .unit = "px",
           .minimum = 8,
           .maximum = 4096},
          {.name = "mirror",
           .type = ValueType::boolean,
           .value = true,
           .summary = "Whether every other square is shown with left and right changed."},
          {.name = "train_encoder",
           .type = ValueType::boolean,
           .value = true,
           .summary = "false: the decoder alone is trained, so that latents, and all that was trained on them, stay."},
          {.name = "standardise",
           .type = ValueType::boolean,
           .value = true,
           .summary = "Whether the latents of a trained encoder are moved and scaled in the end, so that, times the "
                      "scaling factor, each channel has mean 0 and deviation 1; reconstructions stay."}};
}

// Those of the other trainings' params that this one has, in their order.
std::vector<ParamSpec> shared_params() {
  const std::vector<std::string_view> names{
      "steps",        "batch_size", "seed",         "learning_rate",    "schedule",
      "warmup_steps", "restarts",   "weight_decay", "checkpoint_every", "max_gradient_norm",
      "ema_decay",    "micro_batch"};
  std::vector<ParamSpec> params;
  for (const auto& group : {length_params(), optimizer_params({.rate = 1e-4}), execution_params()})
    for (const auto& param : group)
      if (std::ranges::find(names, param.name) != names.end()) params.push_back(param);
  for (auto& param : params) {
    if (param.name != "steps") continue;
    param.required = true;
    param.summary = "Length of the training.";
  }
  return params;
}

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "train_vae";
  spec.summary =
      "Trains the base's autoencoder on squares of images: reconstruction, edges and the posterior's divergence.";
  spec.place = Place::device;
  spec.inputs = {{"base", "model", "The base model; it stays as it is."},
                 {"images", "images", "What the autoencoder is to reconstruct; none smaller than a square."}};
  spec.outputs = {{"model", "model", "The base with the trained autoencoder."},
                  {.name = "validation",
                   .type = "pictures",
                   .summary = "The first images, each beside what the trained autoencoder makes of it.",
                   .aside = true}};
  for (const auto& group : {own_params(), loss_terms(), shared_params()})
    spec.params.insert(spec.params.end(), group.begin(), group.end());
  return spec;
}

diffusion::VaeTrainingOptions options_of(const Params& params, Context& context) {
  diffusion::VaeTrainingOptions options;
  options.rate = rate_of(params, params.integer("steps"));
  options.adamw.weight_decay = params.number("weight_decay");
  options.max_gradient_norm = params.number("max_gradient_norm");
  options.ema_decay = params.number("ema_decay");
  options.train_encoder = params.boolean("train_encoder");
  options.micro_batch = micro_batch_that_fits(params.integer("micro_batch"), params.integer("batch_size"), context);
  options.losses = {.reconstruction = params.text("reconstruction") == "l2" ? diffusion::ReconstructionLoss::l2
                                                                            : diffusion::ReconstructionLoss::l1,
                    .gradient_weight = params.number("gradient_weight"),
                    .gradient_scales = params.integer("gradient_scales"),
                    .kl_weight = params.number("kl_weight")};
  return options;
}

// One training.
class VaeRun {
 public:
  VaeRun(const Job& job, const diffusion::VaeConfig& config, at::Device device, std::span<const Image> images,
         CropVisits visits, diffusion::VaeTrainer trainer)
      : context_(job.context),
        params_(job.params),
        config_(config),
        device_(device),
        images_(images),
        visits_(std::move(visits)),
        trainer_(std::move(trainer)),
        steps_(job.params.integer("steps")) {}

  // All steps, from the task's checkpoint where there is one that fits.
  Expected<void> finish() {
    (void)resumed(context_, [&](const auto& state) { return trainer_.restore(state); });
    return run_steps({.steps = steps_,
                      .checkpoint_every = params_.integer("checkpoint_every"),
                      .done = [&] { return trainer_.steps(); },
                      .step = [&] { return step(); },
                      .save = [&] { return save(); }},
                     context_);
  }

  // The autoencoder as it was trained.
  Expected<std::shared_ptr<const diffusion::Vae>> trained() const {
    auto vae = trainer_.trained();
    if (!vae) return passed_on(vae.error());
    return std::move(*vae);
  }

  // The weights that come out, of all that were trained or moved.
  Expected<diffusion::WeightMap> weights(const diffusion::WeightMap& stored, const diffusion::Vae& vae) {
    auto trained = trainer_.weights();
    if (!params_.boolean("train_encoder") || !params_.boolean("standardise")) return trained;
    auto statistics = statistics_of_latents(vae);
    if (!statistics) return tl::unexpected(statistics.error());
    diffusion::WeightMap all = stored;
    for (const auto& [name, weight] : trained) all[name] = weight;
    if (const auto moved = diffusion::standardise_latents(all, config_, *statistics); !moved) {
      context_.warn("the latents were left as they are: " + moved.error().message);
      return trained;
    }
    for (auto& [name, weight] : trained) weight = all.at(name);
    return trained;
  }

  // Each of the first images beside its reconstruction.
  Expected<PictureSet> reconstructions(const diffusion::Vae& vae) {
    PictureSet pictures;
    const at::NoGradGuard no_grad;
    for (const auto& image : images_.first(std::min(images_.size(), kShown))) {
      const auto pixels = whole_cells(image).unsqueeze(0).to(device_);
      const auto posterior = vae.encode(pixels);
      if (!posterior) return passed_on(posterior.error());
      const auto decoded = vae.decode(posterior->mean);
      if (!decoded) return passed_on(decoded.error());
      const auto side_by_side = diffusion::to_pixels(at::cat({pixels, *decoded}, 3).cpu());  // [1, H, 2 W, 3]
      Picture picture{std::filesystem::path(image.name).stem().string() + ".png", as_tensor(side_by_side[0]), {}};
      if (const auto png = preview_of(picture.pixels)) context_.preview(picture.name, *png);
      pictures.items.push_back(std::move(picture));
    }
    return pictures;
  }

 private:
  Expected<void> save() { return context_.save_checkpoint(checkpoint_of({trainer_.state(), {}}, steps_)); }

  Expected<void> step() {
    const auto step = trainer_.steps();
    const auto side = params_.integer("crop") / config_.downscale();
    const auto result = trainer_.step(visits_.pictures(step).to(device_),
                                      visits_.noise(step, config_.latent_channels, side).to(device_));
    if (!result) return passed_on(result.error());
    context_.metric("loss", step, result->loss);
    context_.metric("reconstruction", step, result->reconstruction);
    context_.metric("gradient_difference", step, result->gradient);
    context_.metric("kl", step, result->kl);
    context_.metric("gradient_norm", step, result->gradient_norm);
    context_.metric("learning_rate", step, result->rate);
    context_.progress(static_cast<double>(step + 1) / static_cast<double>(steps_),
                      fmt::format("step {}/{}", step + 1, steps_));
    return {};
  }

  // The image's pixels, cut to what the VAE takes; [3, H, W].
  at::Tensor whole_cells(const Image& image) const {
    const auto cells = [&](std::int64_t length) { return length / config_.downscale() * config_.downscale(); };
    return signed_pixels(image).narrow(1, 0, cells(image.height())).narrow(2, 0, cells(image.width()));
  }

  // Over images spread evenly over all.
  Expected<diffusion::LatentStatistics> statistics_of_latents(const diffusion::Vae& vae) {
    const at::NoGradGuard no_grad;
    const auto count = std::min(images_.size(), kMeasured);
    std::vector<at::Tensor> channels;  // [latent_channels, h * w] each
    for (std::size_t i = 0; i < count; ++i) {
      const auto posterior = vae.encode(whole_cells(images_[i * images_.size() / count]).unsqueeze(0).to(device_));
      if (!posterior) return passed_on(posterior.error());
      channels.push_back(posterior->mean[0].flatten(1).cpu());
    }
    return diffusion::latent_statistics(at::cat(channels, 1).unsqueeze(0).unsqueeze(2));
  }

  Context& context_;
  const Params& params_;
  const diffusion::VaeConfig& config_;
  at::Device device_;
  std::span<const Image> images_;
  CropVisits visits_;
  diffusion::VaeTrainer trainer_;
  std::int64_t steps_;
};

class TrainVaeNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }
  Needs needs(const Params& params, const InputInfo&) const override {
    Needs needs;
    needs.seconds = static_cast<double>(params.integer("steps")) * kGuessedSecondsPerStep;
    return needs;
  }
  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    return schedule_mistakes(params);
  }
  Expected<Outputs> run_one(const Job& job, Device& device) const override {
    return call_torch(job.context, [&] { return train(job, device); });
  }

 private:
  static Expected<Outputs> train(const Job& job, Device& device) {
    const auto model = Model::from(job.input("base"));
    if (!model) return tl::unexpected(model.error());
    if (!model->loras.empty()) return failure("train_vae takes a base model; this one is fused");
    const auto images = ImageSet::from(job.input("images"));
    if (!images) return tl::unexpected(images.error());
    const auto base = open_base(*model, job.context);
    if (!base) return tl::unexpected(base.error());
    const auto& config = base->vae_config();
    const auto side = job.params.integer("crop");
    if (side % config.downscale() != 0)
      return failure(fmt::format("param 'crop' is {}, this VAE takes multiples of {} px", side, config.downscale()));
    auto visits = CropVisits::of(images->items, {side, job.params.integer("batch_size"), job.params.integer("seed"),
                                                 job.params.boolean("mirror")});
    if (!visits) return tl::unexpected(visits.error());
    const auto stored = weights_of(*model, *base, ModelPart::vae);
    if (!stored) return tl::unexpected(stored.error());
    const auto on = torch_device(device.id());
    auto trainer = diffusion::VaeTrainer::create(config, *stored, on, options_of(job.params, job.context));
    if (!trainer) return passed_on(trainer.error());
    VaeRun run(job, config, on, images->items, std::move(*visits), std::move(*trainer));
    if (const auto done = run.finish(); !done) return tl::unexpected(done.error());
    const auto vae = run.trained();
    if (!vae) return tl::unexpected(vae.error());
    auto weights = run.weights(*stored, **vae);
    if (!weights) return tl::unexpected(weights.error());
    const auto pictures = run.reconstructions(**vae);
    if (!pictures) return tl::unexpected(pictures.error());
    return Outputs{{"model", with_trained(*model, {{ModelPart::vae, std::move(*weights)}}).to_artifact()},
                   {"validation", pictures->to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_train_vae_node() { return std::make_unique<TrainVaeNode>(); }

}  // namespace atelier
