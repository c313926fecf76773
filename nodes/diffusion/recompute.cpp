#include "diffusion/recompute.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "diffusion/recorded.h"

namespace atelier::diffusion {
namespace {

/// x, time, context and every factor: the inputs of a block that a gradient may be asked for.
Tensors inputs_of(const at::Tensor& x, const Conditioning& with) {
  Tensors inputs{x, with.time, with.context};
  for (const auto& [name, layer] : with.adapters.layers()) {
    inputs.push_back(layer.a);
    inputs.push_back(layer.b);
  }
  return inputs;
}

/// The same adapters with other factors, in the order of inputs_of().
Adapters with_factors(const Adapters& adapters, const Tensors& inputs) {
  Adapters::LayerMap layers = adapters.layers();
  size_t at = 3;
  for (auto& [name, layer] : layers) {
    layer.a = inputs[at++];
    layer.b = inputs[at++];
  }
  return adapters.with_layers(std::move(layers));
}

/// A name of its own for a tensor in the graph: what a block adds up for it is one number before it meets others.
at::Tensor renamed(const at::Tensor& x) { return x.defined() ? x.view(x.sizes()) : x; }

Tensors gradients_again(const Tensors& kept, const std::vector<bool>& wanted, const Adapters& adapters,
                        const Tensors& learning, const Block& block, const at::Tensor& output_gradient) {
  const at::AutoGradMode recording(true);
  Tensors inputs, asked;
  for (size_t i = 0; i < kept.size(); ++i) {
    inputs.push_back(kept[i].defined() ? kept[i].detach() : kept[i]);
    if (wanted[i]) asked.push_back(inputs.back().requires_grad_(true));
  }
  asked.insert(asked.end(), learning.begin(), learning.end());  // leaves: they stand in the block's graph themselves
  const Adapters again = with_factors(adapters, inputs);
  const at::Tensor output = block(renamed(inputs[0]), {again, renamed(inputs[1]), renamed(inputs[2])});
  const Tensors found = torch::autograd::grad({output}, asked, {output_gradient}, /*retain_graph=*/false,
                                              /*create_graph=*/false, /*allow_unused=*/true);
  Tensors gradients;
  size_t at = 0;
  for (const bool one : wanted) gradients.push_back(one ? found[at++] : at::Tensor());
  gradients.insert(gradients.end(), found.begin() + static_cast<std::ptrdiff_t>(at), found.end());
  return gradients;
}

}  // namespace

at::Tensor run_block(const std::string& name, const at::Tensor& x, const Conditioning& with, const Tensors& learning,
                     const Block& block) {
  if (!at::GradMode::is_enabled()) return block(x, with);
  if (!with.recompute) return block(renamed(x), {with.adapters, renamed(with.time), renamed(with.context)});

  const Adapters own = with.adapters.under(name + ".");
  const Conditioning inside{own, with.time, with.context};
  Tensors inputs = inputs_of(x, inside);
  Tensors outputs, kept;
  std::vector<bool> wanted;
  {
    const at::NoGradGuard no_grad;
    outputs = {block(x, inside)};
  }
  for (const at::Tensor& input : inputs) {
    wanted.push_back(input.defined() && input.requires_grad());
    kept.push_back(input.defined() ? input.detach() : input);
  }
  inputs.insert(inputs.end(), learning.begin(), learning.end());
  if (!wants_gradient(inputs)) return outputs[0];
  record("RecomputedBlock", inputs, outputs, [kept, wanted, own, learning, block](Tensors gradients) -> Tensors {
    if (!gradients[0].defined()) return Tensors(kept.size() + learning.size());
    return gradients_again(kept, wanted, own, learning, block, gradients[0]);
  });
  return outputs[0];
}

}  // namespace atelier::diffusion
