#include "training/train_node.h"

#include <fmt/format.h>

#include "model/base_model.h"
#include "model/loras.h"
#include "model/torch_call.h"
#include "training/train_checkpoint.h"
#include "training/train_spec.h"
#include "training/training_batch.h"

namespace atelier {
namespace {

constexpr std::int64_t kGuessedSteps = 1000;  // where steps_per_image says it: five photos at the default
constexpr double kGuessedSecondsPerStep = 0.5;
constexpr std::uint64_t kMemoryPerBaseByte = 4;  // float16 file to float32 weights, and as much again for activations

// What a training needs besides its trainer, fixed before its first step.
struct Setup {
  std::vector<Dataset> datasets;
  std::int64_t steps = 0;
  double alpha = 0;
  Digest base;
  std::string version;  // of the base, as kohya's tools call it
  BatchSettings batch;
  std::int64_t checkpoint_every = 0;
};

Expected<std::vector<Dataset>> datasets_of(const Job& job) {
  std::vector<Dataset> datasets;
  for (const auto& artifact : job.input_list("datasets")) {
    auto dataset = Dataset::from(artifact);
    if (!dataset) return tl::unexpected(dataset.error());
    datasets.push_back(std::move(*dataset));
  }
  const auto& first = datasets.front().items.front();
  for (const auto& dataset : datasets)
    for (const auto& item : dataset.items)
      if (item.mean.shape() != first.mean.shape())
        return failure(
            fmt::format("{} has latents of {} x {}, {} of {} x {}: all photos of a training must be of one "
                        "size; resize them to it",
                        first.name, first.mean.shape()[2], first.mean.shape()[1], item.name, item.mean.shape()[2],
                        item.mean.shape()[1]));
  return datasets;
}

diffusion::TrainingOptions options_of(const Params& params, std::int64_t steps) {
  diffusion::TrainingOptions options;
  options.rate.curve =
      params.text("schedule") == "constant" ? diffusion::LrCurve::constant : diffusion::LrCurve::cosine;
  options.rate.peak = params.number("learning_rate");
  options.rate.warmup_steps = params.integer("warmup_steps");
  options.rate.steps = steps;
  options.adamw.weight_decay = params.number("weight_decay");
  options.max_gradient_norm = params.number("max_gradient_norm");
  options.normalize =
      params.text("normalize") == "mask" ? diffusion::LossNormalize::mask : diffusion::LossNormalize::none;
  options.micro_batch = params.integer("micro_batch");
  return options;
}

Expected<Setup> setup_of(const Job& job, const Model& base, const diffusion::BaseModel& folder,
                         const diffusion::NoiseSchedule& schedule, const Device& device) {
  auto datasets = datasets_of(job);
  if (!datasets) return tl::unexpected(datasets.error());
  const auto& params = job.params;
  Setup setup;
  setup.steps =
      params.given("steps") ? params.integer("steps") : steps_for(*datasets, params.integer("steps_per_image"));
  setup.datasets = std::move(*datasets);
  setup.alpha = params.given("alpha") ? params.number("alpha") : static_cast<double>(params.integer("rank"));
  setup.base = base_digest(base);
  setup.version = version_name(folder);
  setup.batch = {params.integer("seed"), schedule.timesteps(), folder.vae_config().scaling_factor,
                 torch_device(device.id())};
  setup.checkpoint_every = params.integer("checkpoint_every");
  return setup;
}

// Goes on from the task's checkpoint where there is one that fits.
void resume(diffusion::Trainer& trainer, Context& context) {
  const auto checkpoint = context.load_checkpoint();
  if (!checkpoint) return;
  const auto state = state_of(*checkpoint);
  if (!state) return context.warn(state.error().message + "; the training began anew");
  if (const auto restored = trainer.restore({*state}); !restored)
    context.warn(restored.error().message + "; the training began anew");
}

Expected<void> save(const diffusion::Trainer& trainer, const Setup& setup, Context& context) {
  return context.save_checkpoint(checkpoint_of(trainer.state(), setup.steps));
}

// All steps that are left. Errors: stopped, once the state is saved; those of the trainer and of saving.
Expected<void> run_steps(diffusion::Trainer& trainer, const Setup& setup, const VisitPlan& plan, Context& context) {
  while (trainer.steps() < setup.steps) {
    const auto step = trainer.steps();
    if (context.stop_requested()) {
      if (auto saved = save(trainer, setup, context); !saved) return saved;
      return failure(fmt::format("stopped at step {} of {}", step, setup.steps), ErrorKind::stopped);
    }
    const auto results = trainer.step(training_batch(setup.datasets, plan, plan.step(step), setup.batch));
    if (!results) return passed_on(results.error());
    context.metric("loss", step, results->front().loss);
    context.metric("gradient_norm", step, results->front().gradient_norm);
    context.progress(static_cast<double>(step + 1) / static_cast<double>(setup.steps),
                     fmt::format("step {}/{}", step + 1, setup.steps));
    if ((step + 1) % setup.checkpoint_every == 0 && step + 1 < setup.steps)
      if (auto saved = save(trainer, setup, context); !saved) return saved;
  }
  return {};
}

Outputs outputs_of(const diffusion::Trainer& trainer, const Setup& setup, const Params& params) {
  auto lora = as_lora_set(trainer.lora());
  lora.base = setup.base;
  lora.facts = {
      {"base_model", setup.version}, {"steps", setup.steps}, {"rank", params.integer("rank")}, {"alpha", setup.alpha}};
  return {{"lora", lora.to_artifact()}};
}

class TrainNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = train_spec();
    return spec;
  }

  Needs needs(const Params& params, const InputInfo& info) const override {
    const auto steps = params.given("steps") ? params.integer("steps") : kGuessedSteps;
    const auto base = info.size_bytes.find("base");
    Needs needs;
    needs.seconds = static_cast<double>(steps) * kGuessedSecondsPerStep;
    if (base != info.size_bytes.end()) needs.device_memory_bytes = kMemoryPerBaseByte * base->second;
    return needs;
  }

  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    if (params.given("steps") && params.integer("warmup_steps") > params.integer("steps"))
      return {fmt::format("param 'warmup_steps' is {}, more than the {} steps of the training",
                          params.integer("warmup_steps"), params.integer("steps"))};
    return {};
  }

  Expected<Outputs> run_one(const Job& job, Device& device) const override {
    return call_torch(job.context, [&] { return train(job, device); });
  }

 private:
  static Expected<Outputs> train(const Job& job, Device& device) {
    const auto base = Model::from(job.input("base"));
    if (!base) return tl::unexpected(base.error());
    if (!base->loras.empty()) return failure("train takes a base model; this one is fused");
    const auto folder = open_base(*base);
    if (!folder) return tl::unexpected(folder.error());
    const auto schedule = diffusion::NoiseSchedule::create(folder->scheduler_config());
    if (!schedule) return passed_on(schedule.error());
    const auto setup = setup_of(job, *base, *folder, *schedule, device);
    if (!setup) return tl::unexpected(setup.error());
    const auto unet = resident_unet(*base, device);
    if (!unet) return tl::unexpected(unet.error());

    const auto start = starting_lora((*unet)->lora_targets(), job.params.integer("rank"), setup->alpha,
                                     job.params.integer("seed"), setup->base);
    auto trainer = diffusion::Trainer::lora({*unet}, *schedule, {{start}}, options_of(job.params, setup->steps));
    if (!trainer) return passed_on(trainer.error());
    resume(*trainer, job.context);
    const VisitPlan plan(setup->datasets, job.params.integer("batch_size"), job.params.integer("seed"));
    if (auto done = run_steps(*trainer, *setup, plan, job.context); !done) return tl::unexpected(done.error());
    return outputs_of(*trainer, *setup, job.params);
  }
};

}  // namespace

std::unique_ptr<const Node> make_train_node() { return std::make_unique<TrainNode>(); }

}  // namespace atelier
