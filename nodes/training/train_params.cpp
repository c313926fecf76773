#include "training/train_params.h"

namespace atelier {
namespace {

constexpr double kMostSteps = 10'000'000;
constexpr double kMostTimesteps = 1000;  // of the schedules of all bases there are

ParamSpec execution(ParamSpec param) {
  param.role = ParamRole::execution;
  return param;
}

ParamSpec flag(std::string name, bool value, std::string summary) {
  return {.name = std::move(name), .type = ValueType::boolean, .value = value, .summary = std::move(summary)};
}

// A share, 0 to 1.
ParamSpec share(std::string name, std::string summary) {
  return {.name = std::move(name),
          .type = ValueType::number,
          .value = 0.0,
          .summary = std::move(summary),
          .minimum = 0,
          .maximum = 1};
}

// A share that leaves something.
ParamSpec below_one(std::string name, std::string summary) {
  auto param = share(std::move(name), std::move(summary));
  param.maximum = 0.99999;
  return param;
}

ParamSpec parts(std::string what) {
  return {.name = "targets",
          .type = ValueType::list,
          .value = Value::List{},
          .summary = std::move(what),
          .element = ValueType::text};
}

}  // namespace

std::vector<ParamSpec> lora_params() {
  return {{.name = "rank",
           .type = ValueType::integer,
           .value = 32,
           .summary = "Rank of the LoRA in every layer (kohya's network_dim).",
           .minimum = 1,
           .maximum = 1024},
          {.name = "alpha",
           .type = ValueType::number,
           .summary = "dW is alpha / rank * B A (kohya's network_alpha); absent: the rank.",
           .minimum = 0.001,
           .maximum = 10000},
          {.name = "conv_rank",
           .type = ValueType::integer,
           .summary = "Rank in 3x3 convolutions, which a LoCon trains too; absent: they are not trained.",
           .minimum = 1,
           .maximum = 1024},
          {.name = "conv_alpha",
           .type = ValueType::number,
           .summary = "alpha of the 3x3 convolutions; absent: conv_rank.",
           .minimum = 0.001,
           .maximum = 10000},
          parts("Patterns of the layers to train: 'to_q' or 'attn2.to_k' is how a name ends, '*attn2*' a whole one, "
                "'!to_v' leaves out; empty: attention, projections and feed-forward, with conv_rank the residual "
                "blocks too."),
          flag("train_unet", true, "Whether the UNet gets layers of the LoRA."),
          flag("train_text_encoder", false, "Whether the text encoders do."),
          below_one("rank_dropout", "Share of a layer's ranks that a photo is shown without in a step."),
          below_one("module_dropout", "Share of the layers that a step does without.")};
}

std::vector<ParamSpec> embedding_params() {
  return {{.name = "word",
           .type = ValueType::text,
           .summary = "The new word, as the captions hold it: <sks>.",
           .required = true},
          {.name = "initializer",
           .type = ValueType::text,
           .summary = "A text whose tokens the vectors start from, one after the other and again from the first: "
                      "person.",
           .required = true},
          {.name = "vectors",
           .type = ValueType::integer,
           .value = 1,
           .summary = "How many tokens the word is worth.",
           .minimum = 1,
           .maximum = 75}};
}

std::vector<ParamSpec> model_params() {
  return {parts("Patterns of the weights to train: 'to_k.weight' is how a name ends, 'unet.*attn2*' a whole one, '!…' "
                "leaves out; empty: all."),
          flag("train_unet", true, "Whether the UNet's weights change."),
          flag("train_text_encoder", false, "Whether the text encoders' do.")};
}

std::vector<ParamSpec> length_params() {
  return {
      {.name = "steps",
       .type = ValueType::integer,
       .summary = "Length of the training; absent: steps_per_image says it.",
       .unit = "steps",
       .minimum = 1,
       .maximum = kMostSteps},
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
       .summary = "Photos of each dataset in a pass, so that every step holds each dataset.",
       .unit = "photos",
       .minimum = 1,
       .maximum = 256},
      {.name = "gradient_accumulation",
       .type = ValueType::integer,
       .value = 1,
       .summary = "Passes of a step, whose gradients are averaged: a larger batch in the memory of a small one.",
       .unit = "passes",
       .minimum = 1,
       .maximum = 1024},
      {.name = "seed",
       .type = ValueType::integer,
       .value = 0,
       .summary = "Of initial weights, noise, timesteps and order; trainings of one seed see alike what they share.",
       .minimum = 0}};
}

std::vector<ParamSpec> optimizer_params(const OptimizerDefaults& defaults) {
  std::vector<ParamSpec> params{{.name = "learning_rate",
                                 .type = ValueType::number,
                                 .value = defaults.rate,
                                 .summary = "Learning rate at its peak.",
                                 .minimum = 0,
                                 .maximum = 1}};
  if (defaults.text_rate)
    params.push_back({.name = "text_learning_rate",
                      .type = ValueType::number,
                      .summary = "That of the text encoders, on the same curve; absent: learning_rate.",
                      .minimum = 0,
                      .maximum = 1});
  const std::vector<ParamSpec> rest{
      {.name = "optimizer",
       .type = ValueType::text,
       .value = "adamw",
       .summary = "adamw; adafactor, which keeps far less memory beside the weights.",
       .choices = {"adamw", "adafactor"}},
      {.name = "schedule",
       .type = ValueType::text,
       .value = "cosine",
       .summary = "How the learning rate goes on after the warm-up: all but 'constant' end at zero.",
       .choices = {"cosine", "constant", "linear", "cosine_with_restarts"}},
      {.name = "warmup_steps",
       .type = ValueType::integer,
       .value = 0,
       .summary = "The learning rate rises linearly over the first so many steps.",
       .unit = "steps",
       .minimum = 0,
       .maximum = kMostSteps},
      {.name = "restarts",
       .type = ValueType::integer,
       .value = 1,
       .summary = "Cosines of cosine_with_restarts.",
       .minimum = 1,
       .maximum = 1000},
      {.name = "weight_decay",
       .type = ValueType::number,
       .value = 0.01,
       .summary = "Decoupled weight decay.",
       .minimum = 0,
       .maximum = 1},
      {.name = "max_gradient_norm",
       .type = ValueType::number,
       .value = 1.0,
       .summary = "Gradients are scaled down to this norm; 0: never.",
       .minimum = 0,
       .maximum = 1e6},
      below_one("ema_decay",
                "What comes out is a running average that keeps this share of itself in each step; 0: none."),
      {.name = "precision",
       .type = ValueType::text,
       .value = "float32",
       .summary = "What the base computes in; what is trained stays float32. float16 scales the loss.",
       .choices = {"float32", "bfloat16", "float16"}}};
  params.insert(params.end(), rest.begin(), rest.end());
  return params;
}

std::vector<ParamSpec> loss_params() {
  return {{.name = "normalize",
           .type = ValueType::text,
           .value = "none",
           .summary = "What the masked loss is divided by: 'none', the whole picture, so that a pixel weighs the same "
                      "in every LoRA; 'mask', the mask's sum, so that a photo does.",
           .choices = {"none", "mask"}},
          share("unmasked_weight", "What a pixel outside the mask weighs; what was invented never weighs."),
          {.name = "min_snr_gamma",
           .type = ValueType::number,
           .value = 0.0,
           .summary = "Timesteps of little noise weigh less: min(snr, gamma) / snr, with v-prediction / (snr + 1); 5 "
                      "is usual; 0: all weigh the same.",
           .minimum = 0,
           .maximum = 1000},
          share("noise_offset", "Lets a training learn very dark and very bright pictures; 0.05 is usual."),
          {.name = "min_timestep",
           .type = ValueType::integer,
           .value = 0,
           .summary = "The first timestep that is drawn.",
           .minimum = 0,
           .maximum = kMostTimesteps - 1},
          {.name = "max_timestep",
           .type = ValueType::integer,
           .summary = "The first timestep that is no more drawn; absent: all are.",
           .minimum = 1,
           .maximum = kMostTimesteps}};
}

std::vector<ParamSpec> caption_params() {
  return {
      share("caption_dropout", "Share of the visits at which a photo is shown without words."),
      flag("shuffle_tags", false, "Whether the comma-separated tags of a caption stand in another order each time."),
      {.name = "keep_tokens",
       .type = ValueType::integer,
       .value = 0,
       .summary = "Tags that stay in front when the others are shuffled.",
       .unit = "tags",
       .minimum = 0,
       .maximum = 255}};
}

std::vector<ParamSpec> validation_params() {
  return {{.name = "validation_every",
           .type = ValueType::integer,
           .value = 0,
           .summary = "After so many steps, and at the end, the loss under noise that the training never sees is "
                      "measured, on at most 64 photos of each dataset, and pictures are painted where they are asked "
                      "for; 0: never.",
           .unit = "steps",
           .minimum = 0,
           .maximum = kMostSteps},
          flag("keep_best", false,
               "Whether what comes out is not the last step but the one with the least loss at a validation.")};
}

std::vector<ParamSpec> validation_picture_params() {
  return {{.name = "validation_prompts",
           .type = ValueType::list,
           .value = Value::List{},
           .summary = "What is painted as the training goes on.",
           .element = ValueType::text},
          {.name = "validation_seeds",
           .type = ValueType::list,
           .value = Value::List{0},
           .summary = "Each prompt is painted from each seed, always the same.",
           .minimum = 0,
           .element = ValueType::integer},
          {.name = "validation_sampling_steps",
           .type = ValueType::integer,
           .value = 20,
           .summary = "Steps of each of those pictures.",
           .unit = "steps",
           .minimum = 1,
           .maximum = 1000}};
}

std::vector<ParamSpec> execution_params() {
  return {
      execution({.name = "checkpoint_every",
                 .type = ValueType::integer,
                 .value = 50,
                 .summary = "A training that is cut off goes on from its last checkpoint.",
                 .unit = "steps",
                 .minimum = 1,
                 .maximum = kMostSteps}),
      execution({.name = "micro_batch",
                 .type = ValueType::integer,
                 .value = 0,
                 .summary =
                     "Photos that pass the model at once: fewer take less memory. On a CPU device such passes run "
                     "side by side, as many as it has threads, each on one. 0: all of a pass.",
                 .unit = "photos",
                 .minimum = 0,
                 .maximum = 4096}),
      execution({.name = "photo_size",
                 .type = ValueType::integer,
                 .value = 0,
                 .summary = "Width and height of the photos, for the estimate of memory alone; 0: what the base was "
                            "trained at.",
                 .unit = "px",
                 .minimum = 0,
                 .maximum = 8192}),
      execution(flag("gradient_checkpointing", false,
                     "Less memory for more time: what a pass keeps is computed again on the way back."))};
}

}  // namespace atelier
