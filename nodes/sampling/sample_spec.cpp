#include "sampling/sample_spec.h"

#include "diffusion/dtype_names.h"
#include "lora/lora_weights.h"
#include "model/embeddings.h"
#include "model/fused_weights.h"

namespace atelier {
namespace {

constexpr double kLeastStrength = 0.01;

std::vector<ParamSpec> word_params() {
  return {
      {.name = "prompts",
       .type = ValueType::list,
       .summary = "What to paint; each prompt with each seed. WebUI's grammar: (x), [x], (x:1.2), \\(, BREAK, and "
                  "<lora:name:0.8> to use a LoRA of `lora_names` and not the others.",
       .element = ValueType::text,
       .required = true},
      {.name = "negative",
       .type = ValueType::text,
       .summary =
           "What not to paint, in the same grammar; absent: the empty text, in SDXL zeros unless model_index.json says "
           "force_zeros_for_empty_prompt: false."},
      {.name = "clip_skip",
       .type = ValueType::integer,
       .value = 1,
       .summary = "Which state of the text encoder is used, from the last; 2 in SD 1.x only.",
       .minimum = 1,
       .maximum = 2},
      {.name = "seeds",
       .type = ValueType::list,
       .value = Value::List{0},
       .summary = "Where each picture starts from; a seed gives diffusers' picture of that seed.",
       .minimum = 0,
       .element = ValueType::integer},
      weights_param(),
      {.name = "lora_names",
       .type = ValueType::list,
       .summary = "What prompts call the sources of `loras` by, one for each; absent: prompts cannot choose.",
       .element = ValueType::text}};
}

std::vector<ParamSpec> sampler_params() {
  return {{.name = "sampler",
           .type = ValueType::text,
           .value = "ddim",
           .summary = "How noise becomes a picture; number for number as diffusers' scheduler of that name.",
           .choices = sampler_choices()},
          {.name = "spacing",
           .type = ValueType::text,
           .summary = "Which timesteps are visited; absent: as the base's scheduler configuration says.",
           .choices = {"leading", "trailing", "linspace"}},
          {.name = "steps",
           .type = ValueType::integer,
           .value = 30,
           .summary = "Of the sampler for each picture; dpmpp_sde_karras calls the model twice a step.",
           .unit = "steps",
           .minimum = 1,
           .maximum = 1000},
          {.name = "guidance",
           .type = ValueType::number,
           .value = 7.5,
           .summary = "Classifier-free guidance scale; 1 or less: without.",
           .minimum = 0,
           .maximum = 100},
          {.name = "guidance_rescale",
           .type = ValueType::number,
           .value = 0.0,
           .summary = "How far guidance is kept from over-exposing; 0.7 suits bases with zero terminal SNR.",
           .minimum = 0,
           .maximum = 1}};
}

ParamSpec size_param(std::string name) {
  return {.name = std::move(name),
          .type = ValueType::integer,
          .summary = "Of the pictures, a multiple of what the base takes (8); absent: what the base was trained at.",
          .unit = "px",
          .minimum = 8,
          .maximum = 4096};
}

std::vector<ParamSpec> size_params() {
  return {size_param("width"),
          size_param("height"),
          {.name = "second_pass_scale",
           .type = ValueType::number,
           .value = 1.0,
           .summary = "Enlarges each picture so many times and paints over it; 1: no second pass.",
           .minimum = 1,
           .maximum = 4},
          {.name = "second_pass_strength",
           .type = ValueType::number,
           .value = 0.38,
           .summary = "The part of the second pass's steps that is done: 0 keeps the picture, 1 makes another.",
           .minimum = kLeastStrength,
           .maximum = 1},
          {.name = "second_pass_steps",
           .type = ValueType::integer,
           .summary = "Of the second pass, of which it does the last; absent: as `steps`.",
           .unit = "steps",
           .minimum = 1,
           .maximum = 1000},
          {.name = "vae_tile",
           .type = ValueType::integer,
           .summary = "Larger pictures go through the VAE in overlapping tiles of this side, which takes less memory "
                      "and changes them a little; absent: whole.",
           .unit = "px",
           .minimum = 64,
           .maximum = 4096}};
}

std::vector<ParamSpec> execution_params() {
  return {{.name = "batch_size",
           .type = ValueType::integer,
           .value = 1,
           .summary = "Seeds painted at once on a GPU; on the CPU it is always one.",
           .minimum = 1,
           .maximum = 64,
           .role = ParamRole::execution},
          {.name = "low_memory",
           .type = ValueType::boolean,
           .value = false,
           .summary = "The UNet sees the prompt and the negative one apart: half the memory, more time.",
           .role = ParamRole::execution}};
}

}  // namespace

std::vector<std::string> sampler_choices() {
  std::vector<std::string> names;
  for (const auto& entry : diffusion::sampler_names()) names.emplace_back(entry.name);
  return names;
}

ParamSpec precision_param() {
  return {.name = "precision",
          .type = ValueType::text,
          .value = "float32",
          .summary =
              "What the UNet computes in; the VAE, which float16 overflows, and the text encoders stay float32. "
              "float16 needs a GPU.",
          .choices = {"float32", "bfloat16", "float16"}};
}

NodeSpec sample_spec() {
  NodeSpec spec;
  spec.name = "sample";
  spec.summary = "Paints a picture for each prompt and seed, with a fused model or a base and LoRAs.";
  spec.version = 3;
  spec.place = Place::device;
  spec.inputs = {{"model", "model", "The model to paint with; either this or `base`.", false, false},
                 {"base", "model", "The base model to paint with, `loras` beside it.", false, false},
                 {"loras", "lora", "LoRAs that are added to `base` while painting.", true, false},
                 embeddings_port()};
  spec.outputs = {{"pictures", "pictures", "The pictures, prompt by prompt and in it seed by seed."}};
  for (auto* group : {&word_params, &sampler_params, &size_params})
    for (auto& param : (*group)()) spec.params.push_back(std::move(param));
  spec.params.push_back(precision_param());
  for (auto& param : execution_params()) spec.params.push_back(std::move(param));
  return spec;
}

PaintSettings paint_settings_of(const Params& params) {
  const auto integer_or = [&](const char* name, std::int64_t otherwise) {
    return params.given(name) ? params.integer(name) : otherwise;
  };
  PaintSettings settings;
  if (params.given("negative")) settings.negative = params.text("negative");
  const auto sampler = diffusion::sampler_named(params.text("sampler"));
  if (!sampler) throw Fault(sampler.error().message);
  settings.sampler = *sampler;
  if (params.given("spacing")) settings.spacing = diffusion::timestep_spacing_named(params.text("spacing")).value();
  settings.steps = params.integer("steps");
  settings.guidance = params.number("guidance");
  settings.guidance_rescale = params.number("guidance_rescale");
  settings.clip_skip = params.integer("clip_skip");
  settings.width_px = integer_or("width", 0);
  settings.height_px = integer_or("height", 0);
  settings.second_pass = {params.number("second_pass_scale"), params.number("second_pass_strength"),
                          integer_or("second_pass_steps", 0)};
  if (params.given("vae_tile")) settings.vae_tile_px = params.integer("vae_tile");
  settings.dtype = diffusion::dtype_named(params.text("precision")).value();
  settings.batch_size = params.integer("batch_size");
  settings.low_memory = params.boolean("low_memory");
  return settings;
}

}  // namespace atelier
