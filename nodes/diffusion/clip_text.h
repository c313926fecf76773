// CLIP's text encoder: ids to the hidden states that the UNet attends to.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "diffusion/config.h"
#include "diffusion/error.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {

/// What one pass gives, in the encoder's dtype and on its device; N texts, T ids, D = hidden_size.
struct TextStates {
  at::Tensor last;         ///< [N, T, D] of the last layer, after the final norm: what SD 1.x and 2.x use
  at::Tensor penultimate;  ///< [N, T, D] of the layer before the last, before the norm; normed, it is "clip skip 2"
  at::Tensor pooled;       ///< [N, D] `last` at the first end token
};

/// Immutable; may be used from many threads.
class ClipTextModel {
 public:
  /// transformers' CLIPTextModel from its config.json and weights, which may stand under `text_model.` or not.
  /// Errors: missing or misshapen weights.
  static Result<std::shared_ptr<const ClipTextModel>> create(const TextConfig& config, WeightReader& weights);
  ~ClipTextModel();
  ClipTextModel(const ClipTextModel&) = delete;
  ClipTextModel& operator=(const ClipTextModel&) = delete;

  /// @param ids  [N, T] int64, T at most max_positions, each under vocab_size. Nothing is recorded for gradients.
  /// Errors: another shape or dtype, too long, an id outside the vocabulary.
  Result<TextStates> encode(const at::Tensor& ids) const;

  /// The final layer norm of hidden states [..., D].
  at::Tensor final_norm(const at::Tensor& states) const;

  const TextConfig& config() const noexcept;

 private:
  struct Impl;
  explicit ClipTextModel(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace atelier::diffusion
