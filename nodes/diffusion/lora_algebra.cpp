#include "diffusion/lora_algebra.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "diffusion/layer_tasks.h"
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
    const at::Tensor down = in_form_of(*term.layer, terms.front().layer->delta_shape()).a.to(at::kFloat);
    const at::Tensor up = term.layer->b.flatten(1).to(at::kFloat) * term.factor;
    const auto same = std::ranges::find_if(
        downs, [&](const at::Tensor& other) { return other.sizes() == down.sizes() && at::equal(other, down); });
    if (same != downs.end()) {  // f1 B1 A + f2 B2 A = (f1 B1 + f2 B2) A
      ups[static_cast<size_t>(same - downs.begin())] += up;
    } else {
      downs.push_back(down);
      ups.push_back(up);
    }
  }
  for (size_t i = ups.size(); i-- > 0;) {
    if (ups[i].count_nonzero().item<int64_t>() > 0) continue;  // what shared an A took itself away
    ups.erase(ups.begin() + static_cast<std::ptrdiff_t>(i));
    downs.erase(downs.begin() + static_cast<std::ptrdiff_t>(i));
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
  return first.a.sizes() == second.a.sizes() && first.scale() != 0 &&
         at::equal(first.a.to(at::kFloat), second.a.to(at::kFloat));
}

/// One layer of a difference; empty where that is zero.
Result<std::optional<LoraLayer>> difference(const std::string& name, const LoraLayer* minuend,
                                            const LoraLayer* subtrahend) {
  if (subtrahend == nullptr) return stack({{minuend, minuend->scale()}});
  if (minuend == nullptr) return stack({{subtrahend, -subtrahend->scale()}});
  if (auto same = check_same_weight(name, *minuend, *subtrahend); !same) return tl::unexpected(same.error());
  const LoraLayer other = in_form_of(*subtrahend, minuend->delta_shape());
  if (same_down(*minuend, other)) return subtract_up(*minuend, other);
  return stack({{minuend, minuend->scale()}, {&other, -other.scale()}});
}

const LoraLayer* layer_in(const Lora& lora, const std::string& name) {
  const auto found = lora.layers.find(name);
  return found == lora.layers.end() ? nullptr : &found->second;
}

/// Names with what each came to: kept, or dropped where that is nothing.
void collect(LoraDifference& result, std::span<const std::string> names, std::vector<std::optional<LoraLayer>> layers) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (layers[i])
      result.lora.layers[names[i]] = *std::move(layers[i]);
    else
      result.dropped.push_back(names[i]);
  }
}

}  // namespace

Result<LoraDifference> subtract(const Lora& minuend, const Lora& subtrahend) {
  LoraDifference result;
  result.lora.base = minuend.base ? minuend.base : subtrahend.base;
  std::set<std::string> names;
  for (const Lora* lora : {&minuend, &subtrahend})
    for (const auto& [name, layer] : lora->layers) names.insert(name);
  auto layers = for_each_layer(names, [&](const std::string& name) {
    return difference(name, layer_in(minuend, name), layer_in(subtrahend, name));
  });
  if (!layers) return tl::unexpected(layers.error());
  collect(result, std::vector(names.begin(), names.end()), *std::move(layers));
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
  auto layers = for_each_layer(terms, [](const auto& item) { return stack(item.second); });
  auto layer = layers->begin();
  for (const auto& [name, of_layer] : terms) {
    if (*layer) sum.layers[name] = **std::move(layer);
    ++layer;
  }
  return sum;
}

Result<void> check_same_weight(const std::string& name, const LoraLayer& first, const LoraLayer& second) {
  if (fits(second, first.delta_shape())) return {};
  return fail(
      fmt::format("LoRA layer '{}': one LoRA changes a weight of shape {}, the other one of shape {}; they "
                  "were trained on different base models",
                  name, shape_text(first.delta_shape()), shape_text(second.delta_shape())));
}

Result<void> check_weight(std::size_t place, double weight) {
  if (std::isfinite(weight)) return {};
  return fail(fmt::format("the weight of LoRA {} is {}, which is no finite number", place + 1, weight));
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
