// artifact: a tensor as the engine knows it: dtype, shape, and bytes it shares. No arithmetic.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace atelier {

enum class DType { u8, i32, i64, f16, bf16, f32, f64 };

std::size_t size_of(DType dtype) noexcept;       // bytes of one element
std::string_view name_of(DType dtype) noexcept;  // "u8" …
std::optional<DType> dtype_named(std::string_view name) noexcept;

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};

// Row-major, contiguous, little-endian. Copies share the bytes, which never change once the tensor is made.
class Tensor {
 public:
  using Shape = std::vector<std::int64_t>;

  Tensor() = default;
  // Takes over bytes that something else keeps alive: `owner` lives as long as any copy of the tensor.
  // Throws Fault where the number of bytes is not what dtype and shape say.
  Tensor(DType dtype, Shape shape, std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
  // Copies the bytes.
  static Tensor copy_of(DType dtype, Shape shape, std::span<const std::byte> bytes);
  template <class T>
  static Tensor of(Shape shape, std::span<const T> values) {
    return copy_of(DTypeOf<T>::value, std::move(shape), std::as_bytes(values));
  }
  template <class T>
  static Tensor of(Shape shape, std::vector<T> values) {
    auto kept = std::make_shared<const std::vector<T>>(std::move(values));
    return Tensor(DTypeOf<T>::value, std::move(shape), std::as_bytes(std::span(*kept)), kept);
  }

  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  std::int64_t elements() const noexcept;
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }
  // The values as T. Throws Fault where T is not the dtype.
  template <class T>
  std::span<const T> values() const {
    require(DTypeOf<T>::value);
    return {reinterpret_cast<const T*>(bytes_.data()), static_cast<std::size_t>(elements())};
  }

 private:
  void require(DType wanted) const;
  DType dtype_ = DType::u8;
  Shape shape_{0};
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

}  // namespace atelier
