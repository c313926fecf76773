#include "diffusion/weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {

std::string first_five(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 5;  // enough to recognise which part of a model it is
  const auto shown = std::min(names.size(), kNamed);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

std::string missing_weights(const std::string& file, const std::vector<std::string>& names) {
  return fmt::format("{}: {} {} missing: {}", file, names.size(), names.size() == 1 ? "weight is" : "weights are",
                     first_five(names));
}

WeightReader::WeightReader(WeightMap weights, std::string origin, ModelOptions options)
    : weights_(std::move(weights)), origin_(std::move(origin)), options_(options) {}

WeightReader WeightReader::blank() {
  WeightReader reader({}, "");
  reader.blank_ = true;
  return reader;
}

at::Tensor WeightReader::placeholder(at::IntArrayRef shape) const {
  // One zero, seen as many: a blank reader of a large model takes no memory.
  return at::zeros({}, at::TensorOptions().device(options_.device).dtype(options_.dtype)).expand(shape);
}

at::Tensor WeightReader::take(const std::string& name, at::IntArrayRef shape) { return take_any({name}, shape); }

at::Tensor WeightReader::take_any(std::initializer_list<std::string> names, at::IntArrayRef shape) {
  asked_.emplace(*names.begin(), shape.vec());
  for (const std::string& name : names) {
    const auto found = weights_.find(name);
    if (found == weights_.end()) continue;
    seen_.insert(name);
    if (found->second.sizes() == shape) return found->second.to(options_.device, options_.dtype).contiguous();
    misshapen_.push_back(fmt::format("{} is {} where the configuration asks for {}", name,
                                     shape_text(found->second.sizes()), shape_text(shape)));
    return placeholder(shape);
  }
  if (!blank_) missing_.push_back(*names.begin());
  return placeholder(shape);
}

at::Tensor WeightReader::take_reshaped(std::initializer_list<std::string> names, at::IntArrayRef shape) {
  for (const std::string& name : names) {
    const auto found = weights_.find(name);
    if (found == weights_.end()) continue;
    if (found->second.numel() == c10::multiply_integers(shape)) found->second = found->second.reshape(shape);
  }
  return take_any(names, shape);
}

void WeightReader::ignore(const std::string& name) { seen_.insert(name); }

Result<void> WeightReader::check() const {
  if (!missing_.empty()) return fail(missing_weights(origin_, missing_));
  if (!misshapen_.empty()) {
    return fail(fmt::format("{}: {} {} the wrong shape: {}", origin_, misshapen_.size(),
                            misshapen_.size() == 1 ? "weight has" : "weights have", first_five(misshapen_)));
  }
  return {};
}

std::vector<std::string> WeightReader::unknown() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights_) {
    if (!seen_.contains(name)) names.push_back(name);
  }
  return names;
}

}  // namespace atelier::diffusion
