// The trainings that the goldens hold: where they start, what a step sees, how they are set.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/text_encoders.h"
#include "diffusion/trainer.h"
#include "golden_unet.h"
#include "random_loras.h"

namespace atelier::diffusion {

/// The LoRA that tensors hold under `prefix`, in peft's naming; a convolution's B without its two ones.
inline Lora lora_in(const WeightMap& tensors, const std::string& prefix, double alpha) {
  Lora lora;
  for (const auto& [name, tensor] : tensors) {
    const size_t end = name.find(".lora_");
    if (!name.starts_with(prefix) || end == std::string::npos) continue;
    LoraLayer& layer = lora.layers[name.substr(prefix.size(), end - prefix.size())];
    layer.alpha = alpha;
    (name[end + 6] == 'A' ? layer.a : layer.b) =
        name[end + 6] == 'A' ? tensor.to(at::kFloat) : tensor.to(at::kFloat).flatten(1);
  }
  return lora;
}

inline Lora golden_start(const GoldenFolder& g) { return lora_in(g.values, "train.start.", g.facts["lora"]["alpha"]); }

inline TrainingOptions golden_options(const GoldenFolder& g) {
  const auto& facts = g.facts["train"];
  TrainingOptions options;
  options.rate = {.curve = LrCurve::constant, .peak = facts["lr"], .steps = 1000};
  options.adamw = {.beta1 = facts["betas"][0],
                   .beta2 = facts["betas"][1],
                   .epsilon = facts["eps"],
                   .weight_decay = facts["weight_decay"]};
  options.max_gradient_norm = facts["grad_clip_norm"];
  options.normalize = LossNormalize::mask;
  return options;
}

/// What step `step` sees; after the last golden step comes the first again.
inline TrainingBatch golden_batch(const GoldenFolder& g, int64_t step) {
  step %= g["train.latents"].size(0);
  const at::Tensor caption = g["train.caption"][step];
  const UNetInput texts = g.input();
  const auto of_rows = [&](const at::Tensor& of_texts) {
    return of_texts.defined() ? of_texts.index_select(0, caption) : of_texts;
  };
  TrainingBatch batch;
  batch.latents = g["train.latents"][step];
  batch.noise = g["train.noise"][step];
  batch.timesteps = g["train.t"][step];
  batch.text = {of_rows(texts.context), of_rows(texts.pooled)};
  batch.time_ids = of_rows(texts.time_ids);
  batch.masks = g["train.mask"][step];
  return batch;
}

/// The same with the captions' ids in place of their states.
inline TrainingBatch golden_batch_of_ids(const GoldenFolder& g, int64_t step) {
  TrainingBatch batch = golden_batch(g, step);
  const at::Tensor caption = g["train.caption"][step % g["train.caption"].size(0)];
  for (int i = 0; i < (g.sdxl() ? 2 : 1); ++i)
    batch.text_ids.per_encoder.push_back(g[fmt::format("text{}.ids", i)].index_select(0, caption).unsqueeze(1));
  batch.text = {};
  return batch;
}

/// The rows of two batches in one, those of the first for tenant 0.
inline TrainingBatch joined(const TrainingBatch& first, const TrainingBatch& second) {
  const auto cat = [](const at::Tensor& a, const at::Tensor& b) { return a.defined() ? at::cat({a, b}) : a; };
  TrainingBatch batch;
  batch.latents = cat(first.latents, second.latents);
  batch.noise = cat(first.noise, second.noise);
  batch.timesteps = cat(first.timesteps, second.timesteps);
  batch.text = {cat(first.text.context, second.text.context), cat(first.text.pooled, second.text.pooled)};
  for (size_t i = 0; i < first.text_ids.per_encoder.size(); ++i)
    batch.text_ids.per_encoder.push_back(cat(first.text_ids.per_encoder[i], second.text_ids.per_encoder[i]));
  batch.time_ids = cat(first.time_ids, second.time_ids);
  batch.masks = cat(first.masks, second.masks);
  batch.weights = cat(first.weights, second.weights);
  batch.row_tenant.assign(static_cast<size_t>(first.rows()), 0);
  batch.row_tenant.insert(batch.row_tenant.end(), static_cast<size_t>(second.rows()), 1);
  return batch;
}

inline std::shared_ptr<const TextEncoders> golden_text_encoders(const GoldenFolder& g) {
  return std::make_shared<const TextEncoders>(g.text_encoders());
}

/// All weights of a golden folder, to be trained where `targets` say so.
inline WeightsStart golden_weights(const GoldenFolder& g, bool with_text, std::vector<std::string> targets = {}) {
  WeightsStart start;
  start.unet_config = must(parse_unet_config(read_json(g.path / "model/unet/config.json"), "config.json"));
  start.unet = g.weights("unet");
  start.architecture = g.architecture();
  start.targets = std::move(targets);
  const TextEncoders encoders = g.text_encoders();
  for (size_t i = 0; with_text && i < encoders.size(); ++i)
    start.text.push_back({encoders[i].tokenizer, encoders[i].model->config(), g.text_weights(i)});
  return start;
}

inline NoiseSchedule golden_schedule(const GoldenFolder& g) { return must(NoiseSchedule::create(g.scheduler())); }

inline bool equal_bits(const TrainerState& one, const TrainerState& other) {
  return one.step == other.step && one.tensors.size() == other.tensors.size() &&
         std::ranges::all_of(one.tensors,
                             [&](const auto& named) { return at::equal(named.second, other.tensors.at(named.first)); });
}

}  // namespace atelier::diffusion
