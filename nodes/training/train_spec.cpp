#include "training/train_spec.h"

namespace atelier {
namespace {

ParamSpec execution(ParamSpec param) {
  param.role = ParamRole::execution;
  return param;
}

std::vector<ParamSpec> lora_params() {
  return {{.name = "rank",
           .type = ValueType::integer,
           .value = 32,
           .summary = "Rank of the LoRA in every layer.",
           .minimum = 1,
           .maximum = 1024},
          {.name = "alpha",
           .type = ValueType::number,
           .summary = "dW is alpha / rank * B A; absent: the rank.",
           .minimum = 0.001,
           .maximum = 10000}};
}

std::vector<ParamSpec> length_params() {
  return {{.name = "steps",
           .type = ValueType::integer,
           .summary = "Length of the training; absent: steps_per_image says it.",
           .unit = "steps",
           .minimum = 1,
           .maximum = 10'000'000},
          {.name = "steps_per_image",
           .type = ValueType::integer,
           .value = 200,
           .summary = "Steps for each different photo of the customer (of all datasets where none is the customer's), "
                      "times its repeats; only where `steps` is absent.",
           .unit = "steps",
           .minimum = 1,
           .maximum = 100'000},
          {.name = "batch_size",
           .type = ValueType::integer,
           .value = 1,
           .summary = "Photos of each dataset in a step, so that every step holds each dataset.",
           .unit = "photos",
           .minimum = 1,
           .maximum = 256}};
}

std::vector<ParamSpec> optimizer_params() {
  return {
      {.name = "learning_rate",
       .type = ValueType::number,
       .value = 1e-4,
       .summary = "Learning rate of AdamW at its peak.",
       .minimum = 0,
       .maximum = 1},
      {.name = "schedule",
       .type = ValueType::text,
       .value = "cosine",
       .summary = "How the learning rate goes on after the warm-up: down to zero at the end, or constant.",
       .choices = {"cosine", "constant"}},
      {.name = "warmup_steps",
       .type = ValueType::integer,
       .value = 0,
       .summary = "The learning rate rises linearly over the first so many steps.",
       .unit = "steps",
       .minimum = 0,
       .maximum = 10'000'000},
      {.name = "weight_decay",
       .type = ValueType::number,
       .value = 0.01,
       .summary = "Decoupled weight decay of AdamW.",
       .minimum = 0,
       .maximum = 1},
      {.name = "max_gradient_norm",
       .type = ValueType::number,
       .value = 1.0,
       .summary = "Gradients are scaled down to this norm; 0: never.",
       .minimum = 0,
       .maximum = 1e6},
      {.name = "normalize",
       .type = ValueType::text,
       .value = "none",
       .summary = "What the masked loss is divided by: 'none', the whole picture, so that a pixel weighs the same in "
                  "every LoRA; 'mask', the mask's sum, so that a photo does.",
       .choices = {"none", "mask"}},
      {.name = "seed",
       .type = ValueType::integer,
       .value = 0,
       .summary = "Of the initial LoRA, noise, timesteps and order; trainings of one seed see alike what they share.",
       .minimum = 0}};
}

std::vector<ParamSpec> execution_params() {
  return {execution({.name = "checkpoint_every",
                     .type = ValueType::integer,
                     .value = 50,
                     .summary = "A training that is cut off goes on from its last checkpoint.",
                     .unit = "steps",
                     .minimum = 1,
                     .maximum = 10'000'000}),
          execution({.name = "micro_batch",
                     .type = ValueType::integer,
                     .value = 0,
                     .summary = "Rows of a step that pass the model at once: fewer take less memory; 0: all.",
                     .unit = "photos",
                     .minimum = 0,
                     .maximum = 4096})};
}

}  // namespace

NodeSpec train_spec() {
  NodeSpec spec;
  spec.name = "train";
  spec.summary =
      "Trains a LoRA on attention, projections and feed-forward of the base's UNet, under the datasets' masks.";
  spec.place = Place::device;
  spec.inputs = {{"base", "model", "The base model; it stays as it is."},
                 {"datasets", "dataset", "What to learn from; each is in every step, mixed by their shares.", true}};
  spec.outputs = {{"lora", "lora", "What was learned."}};
  for (const auto& group : {lora_params(), length_params(), optimizer_params(), execution_params()})
    spec.params.insert(spec.params.end(), group.begin(), group.end());
  return spec;
}

}  // namespace atelier
