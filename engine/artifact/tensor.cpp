#include "artifact/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <array>

#include "base/error.h"

namespace atelier {
namespace {

struct DTypeFacts {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<DTypeFacts, 7> kDTypes{{{DType::u8, "u8", 1},
                                             {DType::i32, "i32", 4},
                                             {DType::i64, "i64", 8},
                                             {DType::f16, "f16", 2},
                                             {DType::bf16, "bf16", 2},
                                             {DType::f32, "f32", 4},
                                             {DType::f64, "f64", 8}}};

const DTypeFacts& facts(DType dtype) noexcept { return kDTypes[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::size_t size_of(DType dtype) noexcept { return facts(dtype).bytes; }
std::string_view name_of(DType dtype) noexcept { return facts(dtype).name; }
std::optional<DType> dtype_named(std::string_view name) noexcept {
  for (const auto& f : kDTypes)
    if (f.name == name) return f.dtype;
  return std::nullopt;
}

Tensor::Tensor(DType dtype, Shape shape, std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
    : dtype_(dtype), shape_(std::move(shape)), bytes_(bytes), owner_(std::move(owner)) {
  if (bytes_.size() != static_cast<std::size_t>(elements()) * size_of(dtype_))
    throw Fault(
        fmt::format("a tensor of {} [{}] was given {} bytes", name_of(dtype_), fmt::join(shape_, ", "), bytes_.size()));
}

Tensor Tensor::copy_of(DType dtype, Shape shape, std::span<const std::byte> bytes) {
  auto kept = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  return Tensor(dtype, std::move(shape), *kept, kept);
}

std::int64_t Tensor::elements() const noexcept {
  return std::accumulate(shape_.begin(), shape_.end(), std::int64_t{1}, std::multiplies<>());
}

void Tensor::require(DType wanted) const {
  if (wanted != dtype_) throw Fault(fmt::format("a tensor of {} was read as {}", name_of(dtype_), name_of(wanted)));
}

}  // namespace atelier
