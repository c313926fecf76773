#include "diffusion/trainable_lora.h"

#include <fmt/format.h>

#include <algorithm>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

constexpr const char *kDown = ".lora_A", *kUp = ".lora_B";

std::vector<std::map<std::string, double>> alphas_of(const std::vector<Lora>& loras) {
  std::vector<std::map<std::string, double>> alphas;
  for (const Lora& lora : loras) {
    std::map<std::string, double>& of_layers = alphas.emplace_back();
    for (const auto& [name, layer] : lora.layers) of_layers[name] = layer.alpha;
  }
  return alphas;
}

/// Whether the base's text encoders have every text layer of the LoRA with its shape.
Result<void> check_text_layers(const TrainingBase& base, const Lora& lora) {
  std::vector<LoraTarget> known;
  if (base.text) known = base.text->adaptable_layers();
  for (const auto& [name, layer] : lora.layers) {
    if (part_of(name) == LoraPart::unet) continue;
    if (!base.text) return fail(fmt::format("LoRA layer '{}': the training was given no text encoders", name));
    const auto found = std::ranges::lower_bound(known, name, {}, &LoraTarget::name);
    if (found == known.end() || found->name != name)
      return fail(fmt::format("LoRA layer '{}': the base model has no such layer", name));
    if (!fits(layer, found->weight_shape))
      return fail(fmt::format("LoRA layer '{}': changes a weight of shape {}, the base model's is {}", name,
                              shape_text(layer.delta_shape()), shape_text(found->weight_shape)));
  }
  return {};
}

/// float32 copies on the device, which the training may change.
Adapters own_copies(const Adapters& adapters, at::Device device) {
  const auto copy = [&](const at::Tensor& factor) { return factor.detach().to(device, at::kFloat, false, true); };
  Adapters::LayerMap layers;
  for (const auto& [name, layer] : adapters.layers())
    layers[name] = {.a = copy(layer.a).contiguous(), .b = copy(layer.b).contiguous(), .scale = copy(layer.scale)};
  return Adapters(std::move(layers), std::vector<int64_t>{0});
}

}  // namespace

TrainableLora::TrainableLora(TrainingBase base, Adapters adapters, const LoraStart& start)
    : base_(std::move(base)),
      alphas_(alphas_of(start.loras)),
      made_for_(start.loras.front().base),
      extra_(start.extra) {
  adapters_ = std::move(adapters);
  for (const auto& [name, layer] : adapters_.layers()) {
    const TrainedPart part = part_of(name) == LoraPart::unet ? TrainedPart::unet : TrainedPart::text;
    for (const auto& [suffix, factor] : {std::pair{kDown, layer.a}, std::pair{kUp, layer.b}})
      tensors_.push_back({name + suffix, factor.detach(), at::Tensor(factor).requires_grad_(true), part});
  }
}

Result<std::unique_ptr<TrainableLora>> TrainableLora::create(TrainingBase base, const LoraStart& start) {
  for (const Lora& lora : start.loras) {
    if (auto fits = base.unet->check(lora); !fits) return tl::unexpected(fits.error());
    if (auto fits = check_text_layers(base, lora); !fits) return tl::unexpected(fits.error());
  }
  std::vector<LoraTarget> targets = base.unet->adaptable_layers();
  if (base.text)
    for (LoraTarget& target : base.text->adaptable_layers()) targets.push_back(std::move(target));
  std::vector<Lora> loras;  // in the base's form: what is learned is written for it
  for (const Lora& lora : start.loras) loras.push_back(in_form_of(lora, targets));
  auto stacked = adapters_of_tenants(loras, std::vector<int64_t>{0});
  if (!stacked) return tl::unexpected(stacked.error());
  if (stacked->empty()) return fail("training: the initial LoRA has no layers");
  Adapters copies = own_copies(*stacked, base.unet->device());
  return std::unique_ptr<TrainableLora>(new TrainableLora(std::move(base), std::move(copies), start));
}

TrainingPass TrainableLora::pass(std::vector<int64_t> tenant_of_row, const Dropout& dropout) const {
  TrainingPass pass{.unet = base_.unet.get(), .text = base_.text.get(), .extra = extra_};
  pass.adapters = dropout.on(adapters_, tenant_of_row);
  return pass;
}

Lora TrainableLora::lora_of(const std::map<std::string, at::Tensor>& values, int64_t k) const {
  Lora lora;
  lora.base = made_for_;
  for (const auto& [name, layer] : adapters_.layers())
    lora.layers[name] = {
        .a = values.at(name + kDown), .b = values.at(name + kUp), .alpha = alphas_[static_cast<size_t>(k)].at(name)};
  return lora;
}

}  // namespace atelier::diffusion
