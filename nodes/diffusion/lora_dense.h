// The update of an adapter layer that is no product of two thin matrices: LyCORIS' LoHa and LoKr
// (https://arxiv.org/abs/2309.14859, and the code of lycoris-lora 4.1.3).
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <optional>
#include <string>

#include "diffusion/error.h"
#include "diffusion/lora.h"
#include "diffusion/lora_names.h"

namespace atelier::diffusion {

/// The tensors of one layer by what they are.
using LoraFactors = std::map<LoraFactor, at::Tensor>;

enum class DenseKind { loha, lokr };

/// "LoHa", "LoKr".
std::string_view name_of(DenseKind kind);

/// A layer whose dW is a full matrix, as the tensors it is made of: dW itself is made when it is asked for, since those
/// of a whole file are as large as the model.
///
/// LoHa is (w1_a w1_b) * (w2_a w2_b) element by element; LoKr the Kronecker product of w1 and w2, of which each is
/// whole or a product of its own. Both times alpha / rank; no alpha or one of 0 means the rank, and where both of
/// LoKr's are whole there is no rank and alpha counts nothing.
class DenseUpdate {
 public:
  /// Errors: a factor that is missing, shapes that do not fit together.
  static Result<DenseUpdate> create(DenseKind kind, LoraFactors factors, double alpha);

  DenseKind kind() const noexcept { return kind_; }
  /// [out, in], or [out, in, kh, kw] of Tucker's form, or, of a convolution in any other form, [out, in * kh * kw],
  /// since the file does not say the kernel.
  const std::vector<int64_t>& shape() const noexcept { return shape_; }

  /// dW in float32, of shape().
  at::Tensor delta() const;

  /// dW as a layer of LoRA, exactly: with the product of both ranks for LoHa, and for LoKr with that or, where one side
  /// is whole, with its side instead. Nothing where that is no lower than the sides of dW.
  std::optional<LoraLayer> as_layer() const;

 private:
  DenseUpdate(DenseKind kind, LoraFactors factors, double alpha)
      : kind_(kind), factors_(std::move(factors)), alpha_(alpha) {}
  DenseKind kind_;
  LoraFactors factors_;
  double alpha_;
  std::vector<int64_t> shape_;
};

/// Whether a layer with these tensors is one.
bool is_loha(const LoraFactors& factors);
bool is_lokr(const LoraFactors& factors);

}  // namespace atelier::diffusion
