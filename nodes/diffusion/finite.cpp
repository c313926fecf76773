#include "diffusion/finite.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "diffusion/dtype_names.h"

namespace atelier::diffusion {
namespace {

/// All ones in the exponent mean an infinity or a NaN, in every format of IEEE 754 and in bfloat16.
template <class Bits>
bool any_full_exponent(std::span<const Bits> values, Bits exponent) {
  constexpr size_t kBlock = 4096;  // small enough to stop early, large enough for the vectorised inner loop
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    Bits found = 0;
    for (const Bits value : values.subspan(begin, std::min(kBlock, values.size() - begin)))
      found = static_cast<Bits>(found | ((value & exponent) == exponent ? 1 : 0));
    if (found != 0) return true;
  }
  return false;
}

template <class Bits>
bool any_full_exponent(const at::Tensor& tensor, Bits exponent) {
  const auto* data = static_cast<const Bits*>(tensor.data_ptr());
  return any_full_exponent(std::span(data, static_cast<size_t>(tensor.numel())), exponent);
}

}  // namespace

bool is_finite(const at::Tensor& given) {
  if (!given.is_floating_point() || given.numel() == 0) return true;
  if (!given.is_cpu()) return at::isfinite(given).all().item<bool>();
  const at::Tensor tensor = given.contiguous();
  switch (tensor.scalar_type()) {
    case at::kHalf:
      return !any_full_exponent<uint16_t>(tensor, 0x7C00);
    case at::kBFloat16:
      return !any_full_exponent<uint16_t>(tensor, 0x7F80);
    case at::kFloat:
      return !any_full_exponent<uint32_t>(tensor, 0x7F800000);
    case at::kDouble:
      return !any_full_exponent<uint64_t>(tensor, 0x7FF0000000000000);
    default:
      return at::isfinite(tensor.to(at::kFloat)).all().item<bool>();
  }
}

std::string not_finite_in(at::ScalarType dtype) {
  return fmt::format("holds NaN or infinite numbers, or numbers too large for {}", name_of(dtype));
}

Result<void> check_finite(const WeightMap& weights, const std::filesystem::path& path) {
  for (const auto& [name, tensor] : weights) {
    if (is_finite(tensor)) continue;
    const bool nan = tensor.isnan().any().item<bool>();
    return fail(fmt::format("{}: tensor '{}' holds {}: the file is damaged, or its training diverged", path.string(),
                            name, nan ? "a NaN" : "an infinite value"));
  }
  return {};
}

}  // namespace atelier::diffusion
