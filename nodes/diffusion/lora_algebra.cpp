#include "diffusion/lora_algebra.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

/// One summand of a layer: factor * B A, the scale and the weight already in the factor.
struct Term {
  const LoraLayer* layer;
  double factor;

  bool is_zero() const {
    return factor == 0 || layer->b.count_nonzero().item<int64_t>() == 0 ||
           layer->a.count_nonzero().item<int64_t>() == 0;
  }
};

/// The exact sum of terms of one weight, all in one layer of the first term's form; empty where every term is zero.
std::optional<LoraLayer> stack(const std::vector<Term>& terms) {
  std::vector<at::Tensor> downs, ups;
  for (const Term& term : terms) {
    if (term.is_zero()) continue;  // a LoRA that learned nothing must not cost rank
    downs.push_back(in_form_of(*term.layer, terms.front().layer->delta_shape()).a.to(at::kFloat));
    ups.push_back(term.layer->b.flatten(1).to(at::kFloat) * term.factor);
  }
  if (downs.empty()) return std::nullopt;
  LoraLayer sum{.a = at::cat(downs, 0), .b = at::cat(ups, 1), .alpha = 0};
  sum.alpha = static_cast<double>(sum.rank());
  return sum;
}

/// s1 B1 A - s2 B2 A = s1 (B1 - s2 / s1 B2) A; empty where that is zero.
std::optional<LoraLayer> subtract_up(const LoraLayer& minuend, const LoraLayer& subtrahend) {
  const at::Tensor up = minuend.b.flatten(1).to(at::kFloat) -
                        subtrahend.b.flatten(1).to(at::kFloat) * (subtrahend.scale() / minuend.scale());
  const LoraLayer difference{.a = minuend.a.to(at::kFloat), .b = up, .alpha = minuend.alpha};
  if (Term{&difference, difference.scale()}.is_zero()) return std::nullopt;
  return difference;
}

bool same_down(const LoraLayer& first, const LoraLayer& second) {
  return first.a.sizes() == second.a.sizes() && first.scale() != 0 && at::equal(first.a, second.a);
}

}  // namespace

Result<LoraDifference> subtract(const Lora& minuend, const Lora& subtrahend) {
  LoraDifference result;
  result.lora.base = minuend.base ? minuend.base : subtrahend.base;
  const auto keep = [&](const std::string& name, std::optional<LoraLayer> layer) {
    if (layer) {
      result.lora.layers[name] = *std::move(layer);
    } else {
      result.dropped.push_back(name);
    }
  };
  for (const auto& [name, layer] : minuend.layers) {
    const auto other = subtrahend.layers.find(name);
    if (other == subtrahend.layers.end()) {
      keep(name, stack({{&layer, layer.scale()}}));
    } else if (auto same = check_same_weight(name, layer, other->second); !same) {
      return tl::unexpected(same.error());
    } else if (same_down(layer, in_form_of(other->second, layer.delta_shape()))) {
      keep(name, subtract_up(layer, other->second));
    } else {
      keep(name, stack({{&layer, layer.scale()}, {&other->second, -other->second.scale()}}));
    }
  }
  for (const auto& [name, layer] : subtrahend.layers)
    if (!minuend.layers.contains(name)) keep(name, stack({{&layer, -layer.scale()}}));
  std::ranges::sort(result.dropped);
  return result;
}

Result<Lora> weighted_sum(std::span<const WeightedLora> loras) {
  std::map<std::string, std::vector<Term>> terms;
  Lora sum;
  if (auto valid = check_weights(loras); !valid) return tl::unexpected(valid.error());
  for (const WeightedLora& weighted : loras) {
    if (!sum.base) sum.base = weighted.lora->base;
    for (const auto& [name, layer] : weighted.lora->layers) {
      std::vector<Term>& of_layer = terms[name];
      if (!of_layer.empty())
        if (auto same = check_same_weight(name, *of_layer.front().layer, layer); !same)
          return tl::unexpected(same.error());
      of_layer.push_back({&layer, weighted.weight * weighted.blocks.of(name) * layer.scale()});
    }
  }
  for (const auto& [name, of_layer] : terms)
    if (auto layer = stack(of_layer)) sum.layers[name] = *std::move(layer);
  return sum;
}

Result<void> check_same_weight(const std::string& name, const LoraLayer& first, const LoraLayer& second) {
  if (fits(second, first.delta_shape())) return {};
  return fail(
      fmt::format("LoRA layer '{}': one LoRA changes a weight of shape {}, the other one of shape {}; they "
                  "were trained on different base models",
                  name, shape_text(first.delta_shape()), shape_text(second.delta_shape())));
}

Result<void> check_weights(std::span<const WeightedLora> terms) {
  for (size_t i = 0; i < terms.size(); ++i)
    if (!std::isfinite(terms[i].weight))
      return fail(fmt::format("the weight of LoRA {} is {}, which is no finite number", i + 1, terms[i].weight));
  return {};
}

double norm(const LoraLayer& layer) {
  const at::Tensor up = layer.b.flatten(1).to(at::kDouble);
  const at::Tensor down = layer.a.flatten(1).to(at::kDouble);
  // ||B A||^2 = tr(B^T B A A^T), two r x r matrices; rounding may leave a tiny negative number for zero.
  const double squared = (at::mm(up.t(), up) * at::mm(down, down.t())).sum().item<double>();
  return std::abs(layer.scale()) * std::sqrt(std::max(squared, 0.0));
}

double norm(const Lora& lora) {
  double squared = 0;
  for (const auto& [name, layer] : lora.layers) squared += std::pow(norm(layer), 2);
  return std::sqrt(squared);
}

}  // namespace atelier::diffusion
