#include "diffusion/dtype_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace atelier::diffusion {
namespace {

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 4> kNames{
    {{"float16", at::kHalf}, {"bfloat16", at::kBFloat16}, {"float32", at::kFloat}, {"float64", at::kDouble}}};

}  // namespace

std::optional<at::ScalarType> dtype_named(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name, [](const auto& one) { return one.first; });
  if (found == kNames.end() || found->second == at::kDouble) return std::nullopt;
  return found->second;
}

std::string_view name_of(at::ScalarType dtype) {
  const auto* found = std::ranges::find(kNames, dtype, [](const auto& one) { return one.second; });
  return found == kNames.end() ? std::string_view("") : found->first;
}

}  // namespace atelier::diffusion
