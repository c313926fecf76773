#include "training/train_spec.h"

#include <fmt/format.h>

#include "training/train_params.h"

namespace atelier {
namespace {

const PortSpec kBase{"base", "model", "The base model; it stays as it is."};
const PortSpec kDatasets{"datasets", "dataset", "What to learn from; each is in every step, mixed by their shares.",
                         true};
const PortSpec kValidation{.name = "validation",
                           .type = "pictures",
                           .summary = "Pictures of validation_prompts from the same seeds as the training went on.",
                           .aside = true};

NodeSpec training_spec(std::string name, std::string summary, std::vector<std::vector<ParamSpec>> own_params) {
  NodeSpec spec;
  spec.name = std::move(name);
  spec.summary = std::move(summary);
  spec.place = Place::device;
  spec.inputs = {kBase, kDatasets};
  for (const auto& group : own_params) spec.params.insert(spec.params.end(), group.begin(), group.end());
  for (const auto& group : {length_params(), loss_params(), caption_params(), validation_params(),
                            validation_picture_params(), execution_params()})
    spec.params.insert(spec.params.end(), group.begin(), group.end());
  return spec;
}

}  // namespace

NodeSpec train_spec() {
  auto spec = training_spec(
      "train",
      "Trains a LoRA of the base's UNet, its text encoders or both, under the datasets' masks. With an embedding it is "
      "the second half of pivotal tuning.",
      {lora_params(), optimizer_params({.rate = 1e-4, .text_rate = true})});
  spec.version = 4;
  spec.inputs.push_back({"lora", "lora", "A LoRA to go on from; its layers keep their ranks.", false, false});
  spec.inputs.push_back(
      {"embedding", "embedding", "A trained word that the captions hold; it stays as it is.", false, false});
  spec.outputs = {{"lora", "lora", "What was learned."}, kValidation};
  return spec;
}

NodeSpec train_embedding_spec() {
  auto spec = training_spec(
      "train_embedding",
      "Trains what a new word means to the base (textual inversion): vectors in the text encoders' tables, all else "
      "stays. The captions must hold the word.",
      {embedding_params(), optimizer_params({.rate = 5e-4})});
  spec.version = 2;
  spec.outputs = {{"embedding", "embedding", "The word and its vectors."}, kValidation};
  return spec;
}

NodeSpec train_model_spec() {
  auto spec = training_spec("train_model",
                            "Trains the base's own weights (DreamBooth, fine-tuning): all of the UNet, of the text "
                            "encoders or of both, or those that patterns choose.",
                            {model_params(), optimizer_params({.rate = 5e-6, .text_rate = true})});
  spec.version = 3;
  spec.outputs = {{"model", "model", "The base with the weights that were changed."}, kValidation};
  return spec;
}

std::vector<std::string> schedule_mistakes(const Params& params) {
  std::vector<std::string> mistakes;
  const auto warmup = params.integer("warmup_steps");
  if (params.given("steps") && warmup > params.integer("steps"))
    mistakes.push_back(fmt::format("param 'warmup_steps' is {}, more than the {} steps of the training", warmup,
                                   params.integer("steps")));
  if (params.integer("restarts") > 1 && params.text("schedule") != "cosine_with_restarts")
    mistakes.emplace_back("param 'restarts' goes with schedule: cosine_with_restarts");
  return mistakes;
}

std::vector<std::string> training_mistakes(const NodeSpec& spec, const Params& params) {
  auto mistakes = schedule_mistakes(params);
  const auto wrong = [&](bool is, std::string text) {
    if (is) mistakes.push_back(std::move(text));
  };
  const auto has = [&](std::string_view name) { return spec.param(name) != nullptr; };
  wrong(params.given("max_timestep") && params.integer("min_timestep") >= params.integer("max_timestep"),
        "param 'min_timestep' must be under 'max_timestep'");
  wrong(params.integer("keep_tokens") > 0 && !params.boolean("shuffle_tags"),
        "param 'keep_tokens' goes with shuffle_tags: true");
  const bool validates = params.integer("validation_every") > 0;
  wrong(params.boolean("keep_best") && !validates, "param 'keep_best' needs validation_every");
  wrong(!params.texts("validation_prompts").empty() && !validates, "param 'validation_prompts' needs validation_every");
  if (has("train_unet"))
    wrong(!params.boolean("train_unet") && !params.boolean("train_text_encoder"),
          "neither train_unet nor train_text_encoder is true; nothing would be trained");
  if (has("text_learning_rate"))
    wrong(params.given("text_learning_rate") && !params.boolean("train_text_encoder"),
          "param 'text_learning_rate' goes with train_text_encoder: true");
  if (has("conv_alpha"))
    wrong(params.given("conv_alpha") && !params.given("conv_rank"), "param 'conv_alpha' goes with conv_rank");
  return mistakes;
}

}  // namespace atelier
