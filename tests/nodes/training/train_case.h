// What the tests of the training nodes share: trainings of the tiny base, a few steps long.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"
#include "training/row_texts.h"
#include "training/train_node.h"
#include "training/training_batch.h"

namespace atelier {

inline const std::map<std::string, Value> kShort{{"rank", 2}, {"steps", 6}, {"learning_rate", 1e-3}};

inline Inputs inputs_of(const std::vector<Dataset>& datasets) {
  std::vector<Artifact> artifacts;
  for (const auto& dataset : datasets) artifacts.push_back(dataset.to_artifact());
  return {{"base", {tiny_base()}}, {"datasets", artifacts}};
}

inline Expected<Outputs> train(const std::vector<Dataset>& datasets, const std::map<std::string, Value>& params,
                               FakeContext& context, const std::string& device_id = "cpu:0") {
  FakeDevice device(device_id);
  return run_node(*make_train_node(), inputs_of(datasets), params, context, device);
}

inline LoraSet trained(const std::vector<Dataset>& datasets, const std::map<std::string, Value>& params) {
  FakeContext context;
  const auto outputs = train(datasets, params, context);
  if (!outputs) throw Fault(outputs.error().message);
  return *LoraSet::from(outputs->at("lora"));
}

// The one batch of a step whose photos are of one size.
inline diffusion::TrainingBatch training_batch(const std::vector<Dataset>& datasets, VisitPlan& plan,
                                               const std::vector<Visit>& visits, const BatchSettings& settings) {
  return training_batches(datasets, plan, visits, settings, StatesOfTexts(datasets, std::nullopt)).value().at(0);
}

inline std::vector<std::int64_t> steps_done(const FakeContext& context) {
  std::vector<std::int64_t> steps;
  for (const auto& metric : context.metrics)
    if (metric.name == "loss") steps.push_back(metric.step);
  return steps;
}

inline Digest digest_of_training(const std::vector<Dataset>& datasets, FakeContext& context,
                                 const std::string& device_id = "cpu:0") {
  const auto outputs = train(datasets, kShort, context, device_id);
  if (!outputs) throw Fault(outputs.error().message);
  return digest_of(outputs->at("lora"));
}

// Photos in two buckets.
inline Dataset dataset_of_two_sizes() {
  auto dataset = tiny_dataset({"a.png", "b.png", "c.png"});
  for (const std::size_t i : {1, 2}) {
    dataset.items[i].mean = normal_tensor({4, 8, 24}, dataset.items[i].name);
    dataset.items[i].deviation = constant_tensor({4, 8, 24}, 0.1f);
    dataset.items[i].mask = constant_tensor({8, 24}, 1);
  }
  return dataset;
}

}  // namespace atelier
