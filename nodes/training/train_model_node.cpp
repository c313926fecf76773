#include "training/train_model_node.h"

#include <ATen/ATen.h>

#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/torch_call.h"
#include "training/train_spec.h"
#include "training/training_needs.h"
#include "training/training_run.h"

namespace atelier {
namespace {

using diffusion::ModelPart;

// The patterns of what is trained, held to the parts that are.
std::vector<std::string> targets_of(const Params& params) {
  auto targets = params.texts("targets");
  const bool unet = params.boolean("train_unet"), text = params.boolean("train_text_encoder");
  if (targets.empty() && !unet) targets.emplace_back("text_encoder*");
  if (targets.empty() && !text) targets.emplace_back("unet.*");
  if (!unet) targets.emplace_back("!unet.*");
  return targets;
}

Expected<diffusion::WeightsStart> start_of(const Job& job, const TrainSetup& setup, const SetupTexts& texts,
                                           const Device& device) {
  diffusion::WeightsStart start;
  start.options = {torch_device(device.id()), setup.dtype};
  start.architecture = setup.base.architecture();
  start.unet_config = setup.base.unet_config();
  auto unet = weights_of(setup.model, setup.base, ModelPart::unet);
  if (!unet) return tl::unexpected(unet.error());
  start.unet = std::move(*unet);
  const bool text = job.params.boolean("train_text_encoder");
  for (std::size_t i = 0; text && i < setup.base.text_configs().size(); ++i) {
    auto weights = weights_of(setup.model, setup.base, text_parts(setup.base)[i]);
    if (!weights) return tl::unexpected(weights.error());
    start.text.push_back({(*texts.encoders)[i].tokenizer, setup.base.text_configs()[i], std::move(*weights)});
  }
  if (!(job.params.texts("targets").empty() && job.params.boolean("train_unet") && text))
    start.targets = targets_of(job.params);
  return start;
}

// The base with the weights that were trained in place of its own.
Model changed_model(const diffusion::Trainer& trainer, const TrainSetup& setup) {
  diffusion::PartWeights trained;
  std::vector<ModelPart> parts = text_parts(setup.base);
  parts.insert(parts.begin(), ModelPart::unet);
  for (const auto part : parts) trained[part] = trainer.weights(diffusion::folder_name(part));
  return with_trained(setup.model, trained);
}

class TrainModelNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = train_model_spec();
    return spec;
  }
  Needs needs(const Params& params, const InputInfo& info) const override {
    return training_needs(diffusion::TrainedWeights::all, params, info);
  }
  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    return training_mistakes(spec(), params);
  }
  Expected<Outputs> run_one(const Job& job, Device& device) const override {
    return call_torch(job.context, [&] { return train(job, device); });
  }

 private:
  static Expected<Outputs> train(const Job& job, Device& device) {
    auto setup = train_setup(job, device, "train_model");
    if (!setup) return tl::unexpected(setup.error());
    if (job.params.given("text_learning_rate")) setup->options.text_rate = job.params.number("text_learning_rate");
    const auto texts = row_texts(*setup, {.trained = job.params.boolean("train_text_encoder")}, job.context, device);
    if (!texts) return tl::unexpected(texts.error());
    const auto start = start_of(job, *setup, *texts, device);
    if (!start) return tl::unexpected(start.error());
    auto trainer = diffusion::Trainer::full(*start, setup->schedule, setup->options);
    if (!trainer) return passed_on(trainer.error());
    TrainingRun run(*setup, job, device, *texts->rows,
                    [&](const diffusion::Trainer& now) { return ModelToPaint{changed_model(now, *setup)}; });
    const auto pictures = run.finish(*trainer);
    if (!pictures) return tl::unexpected(pictures.error());
    return Outputs{{"model", changed_model(*trainer, *setup).to_artifact()}, {"validation", pictures->to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_train_model_node() { return std::make_unique<TrainModelNode>(); }

}  // namespace atelier
