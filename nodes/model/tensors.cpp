#include "model/tensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error.h"

namespace atelier {
namespace {

constexpr std::array<std::pair<DType, at::ScalarType>, 7> kTypes{{{DType::u8, at::kByte},
                                                                  {DType::i32, at::kInt},
                                                                  {DType::i64, at::kLong},
                                                                  {DType::f16, at::kHalf},
                                                                  {DType::bf16, at::kBFloat16},
                                                                  {DType::f32, at::kFloat},
                                                                  {DType::f64, at::kDouble}}};

at::ScalarType torch_type(DType dtype) {
  for (const auto& [ours, torchs] : kTypes)
    if (ours == dtype) return torchs;
  throw Fault("a tensor has a dtype that libtorch does not know");
}

DType our_type(at::ScalarType type) {
  for (const auto& [ours, torchs] : kTypes)
    if (torchs == type) return ours;
  throw Fault(fmt::format("artifacts cannot hold tensors of the type {}", c10::toString(type)));
}

}  // namespace

at::Tensor as_torch(const Tensor& tensor) {
  // from_blob wants a mutable pointer, and a deleter that keeps the owner.
  auto* bytes = const_cast<std::byte*>(tensor.bytes().data());
  return at::from_blob(
      bytes, tensor.shape(), [owner = tensor.owner()](void*) {}, at::TensorOptions(torch_type(tensor.dtype())));
}

Tensor as_tensor(const at::Tensor& tensor) {
  auto kept = std::make_shared<const at::Tensor>(tensor.detach().to(at::kCPU).contiguous());
  const auto* bytes = static_cast<const std::byte*>(kept->data_ptr());
  return Tensor(our_type(kept->scalar_type()), kept->sizes().vec(), {bytes, kept->nbytes()}, kept);
}

}  // namespace atelier
