#include "training/train_setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "model/base_model.h"
#include "model/torch_call.h"
#include "training/micro_batch.h"

namespace atelier {
namespace {

Expected<std::vector<Dataset>> datasets_of(const Job& job) {
  std::vector<Dataset> datasets;
  for (const auto& artifact : job.input_list("datasets")) {
    auto dataset = Dataset::from(artifact);
    if (!dataset) return tl::unexpected(dataset.error());
    datasets.push_back(std::move(*dataset));
  }
  const auto& first = datasets.front().text_settings;
  for (const auto& dataset : datasets)
    if (const auto& other = dataset.text_settings; other != first)
      return failure(
          fmt::format("the datasets were encoded with clip_skip {} and {}, max_token_length {} and {}; give "
                      "every `encode` the same",
                      first.clip_skip, other.clip_skip, first.max_token_length, other.max_token_length));
  return datasets;
}

diffusion::LrCurve curve_of(const std::string& name) {
  static const std::map<std::string, diffusion::LrCurve, std::less<>> curves{
      {"constant", diffusion::LrCurve::constant},
      {"linear", diffusion::LrCurve::linear},
      {"cosine", diffusion::LrCurve::cosine},
      {"cosine_with_restarts", diffusion::LrCurve::cosine_with_restarts}};
  return curves.at(name);
}

at::ScalarType dtype_of(const std::string& precision) {
  if (precision == "bfloat16") return at::kBFloat16;
  return precision == "float16" ? at::kHalf : at::kFloat;
}

// Rows of one pass: what was asked for, and with accumulation no more than a pass has.
std::int64_t micro_batch_of(const Params& params, std::int64_t rows) {
  const auto given = params.integer("micro_batch");
  if (params.integer("gradient_accumulation") == 1) return given;
  return given > 0 ? std::min(given, rows) : rows;
}

diffusion::TrainingOptions options_of(const Params& params, const TrainSetup& setup, Context& context) {
  diffusion::TrainingOptions options;
  options.rate = rate_of(params, setup.steps);
  if (params.text("optimizer") == "adafactor") options.optimizer = diffusion::OptimizerKind::adafactor;
  options.adamw.weight_decay = options.adafactor.weight_decay = params.number("weight_decay");
  options.max_gradient_norm = params.number("max_gradient_norm");
  options.normalize =
      params.text("normalize") == "mask" ? diffusion::LossNormalize::mask : diffusion::LossNormalize::none;
  options.unmasked_weight = params.number("unmasked_weight");
  options.min_snr_gamma = params.number("min_snr_gamma");
  options.ema_decay = params.number("ema_decay");
  options.clip_skip = setup.text.clip_skip;
  options.gradient_checkpointing = params.boolean("gradient_checkpointing");
  const auto rows = params.integer("batch_size") * static_cast<std::int64_t>(setup.datasets.size());
  options.micro_batch = micro_batch_that_fits(micro_batch_of(params, rows), rows, context);
  options.uniform = [seed = params.integer("seed"), base = setup.digest()](std::int64_t step, std::string_view purpose,
                                                                           std::span<float> values) {
    const auto subject = Encoder().digest(base).text(purpose).finish();
    RandomStream(seed, "dropout of a step", subject).at(static_cast<std::uint64_t>(step)).fill_uniform(values, 0, 1);
  };
  return options;
}

BatchSettings batch_settings_of(const Params& params, const TrainSetup& setup, at::Device device) {
  BatchSettings settings{params.integer("seed"), setup.schedule.timesteps(), setup.base.vae_config().scaling_factor,
                         device};
  if (params.given("max_timestep")) settings.timesteps = std::min(settings.timesteps, params.integer("max_timestep"));
  settings.min_timestep = params.integer("min_timestep");
  settings.noise_offset = params.number("noise_offset");
  settings.captions = {params.integer("seed"), params.number("caption_dropout"), params.boolean("shuffle_tags"),
                       params.integer("keep_tokens")};
  settings.sizes = setup.base.architecture() == diffusion::Architecture::sdxl;
  settings.validity = params.number("unmasked_weight") > 0;
  return settings;
}

// Whether the datasets hold the states of all words that come up.
bool all_are_encoded(const TrainSetup& setup) {
  return setup.batch.captions.fixed() &&
         std::ranges::none_of(setup.datasets, [](const Dataset& dataset) { return dataset.texts.empty(); });
}

// What was not encoded before was not told either.
void tell_cut_captions(const TrainSetup& setup, const CaptionEncoder& encoder, Context& context) {
  std::set<std::string> told;
  for (const auto& dataset : setup.datasets)
    for (const auto& item : dataset.items) {
      if (dataset.texts.contains(item.caption)) continue;
      if (auto sentence = encoder.told_if_cut(item.caption); !sentence.empty() && told.insert(sentence).second)
        context.warn(std::move(sentence));
    }
}

}  // namespace

Expected<SetupTexts> row_texts(const TrainSetup& setup, const TextUse& use, Context& context, Device& device) {
  const bool as_ids = use.trained || !use.words.empty();
  if (!as_ids && all_are_encoded(setup))
    return SetupTexts{std::make_unique<StatesOfTexts>(setup.datasets, std::nullopt), nullptr};
  // Frozen text encoders compute as `encode` did.
  auto encoders = resident_text_encoders(setup.model, device, as_ids ? setup.dtype : at::kFloat);
  if (!encoders) return tl::unexpected(encoders.error());
  const CaptionEncoder encoder(*encoders, setup.text);
  tell_cut_captions(setup, encoder, context);
  if (as_ids)
    return SetupTexts{std::make_unique<IdsOfTexts>(*encoders, setup.text.max_token_length, use.words), *encoders};
  return SetupTexts{std::make_unique<StatesOfTexts>(setup.datasets, encoder), *encoders};
}

diffusion::LrSchedule rate_of(const Params& params, std::int64_t steps) {
  return {curve_of(params.text("schedule")), params.number("learning_rate"), params.integer("warmup_steps"), steps,
          params.integer("restarts")};
}

std::vector<diffusion::ModelPart> text_parts(const diffusion::BaseModel& base) {
  std::vector<diffusion::ModelPart> parts{diffusion::ModelPart::text_encoder};
  if (base.text_configs().size() > 1) parts.push_back(diffusion::ModelPart::text_encoder_2);
  return parts;
}

Expected<TrainSetup> train_setup(const Job& job, const Device& device, std::string_view node) {
  auto model = Model::from(job.input("base"));
  if (!model) return tl::unexpected(model.error());
  if (!model->loras.empty()) return failure(fmt::format("{} takes a base model; this one is fused", node));
  auto base = open_base(*model, job.context);
  if (!base) return tl::unexpected(base.error());
  auto schedule = diffusion::NoiseSchedule::create(base->scheduler_config());
  if (!schedule) return passed_on(schedule.error());
  auto datasets = datasets_of(job);
  if (!datasets) return tl::unexpected(datasets.error());
  TrainSetup setup(std::move(*model), std::move(*base), std::move(*schedule), std::move(*datasets));
  setup.dtype = dtype_of(job.params.text("precision"));
  setup.steps = job.params.given("steps") ? job.params.integer("steps")
                                          : steps_for(setup.datasets, job.params.integer("steps_per_image"));
  setup.batch = batch_settings_of(job.params, setup, torch_device(device.id()));
  setup.options = options_of(job.params, setup, job.context);
  return setup;
}

}  // namespace atelier
