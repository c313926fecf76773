// CLIP's text encoder: ids to the hidden states that the UNet attends to.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/config.h"
#include "diffusion/error.h"
#include "diffusion/lora.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {

/// How far a pass goes: who wants the penultimate states alone is spared the last layer.
enum class TextDepth { last, penultimate };

/// What one pass adds to the encoder's own weights.
struct TextPass {
  const Adapters* adapters = nullptr;  ///< by full layer name, the encoder's prefix before it; none: the base alone
  at::Tensor extra{};                  ///< [M, D] rows behind the table of token embeddings: id vocab_size + i is row i
  TextDepth depth = TextDepth::last;
};

/// What one pass gives, in the encoder's dtype and on its device; N texts, T ids, D = hidden_size.
struct TextStates {
  at::Tensor last;         ///< [N, T, D] of the last layer, after the final norm: what SD 1.x and 2.x use
  at::Tensor penultimate;  ///< [N, T, D] of the layer before the last, before the norm: what SDXL uses
  at::Tensor pooled;       ///< [N, D] `last` at the first end token
  at::Tensor embeds;       ///< [N, projection_dim] the projected `pooled`; undefined without a projection
};

/// Immutable; may be used from many threads.
class ClipTextModel {
 public:
  /// transformers' CLIPTextModel, or with config.with_projection CLIPTextModelWithProjection, from its config.json and
  /// weights, which may stand under `text_model.` or not. `layer_prefix` is what adapters call this encoder by. Weights
  /// that want gradients get them from forward(); they have to be on the options' device and of their dtype already.
  /// Errors: missing or misshapen weights; a precision that check_precision() refuses.
  static Result<std::shared_ptr<const ClipTextModel>> create(const TextConfig& config, WeightReader& weights,
                                                             std::string_view layer_prefix = kTextEncoderPrefix);
  ~ClipTextModel();
  ClipTextModel(const ClipTextModel&) = delete;
  ClipTextModel& operator=(const ClipTextModel&) = delete;

  /// @param ids  [N, T] int64, T at most max_positions, each under vocab_size + M. Nothing is recorded for gradients.
  /// Errors: another shape or dtype, too long, an id beyond the vocabulary and the extra rows.
  Result<TextStates> encode(const at::Tensor& ids, const TextPass& pass = {}) const;

  /// encode() that records: gradients flow to adapters, to extra rows, and to weights that want them.
  Result<TextStates> forward(const at::Tensor& ids, const TextPass& pass = {}) const;

  /// The final layer norm of hidden states [..., D]; of the penultimate ones, it is "clip skip 2".
  at::Tensor final_norm(const at::Tensor& states) const;

  /// All layers that a LoRA can adapt, by full name, sorted: attention and feed-forward of each layer.
  const std::vector<LoraTarget>& adaptable_layers() const noexcept;

  const TextConfig& config() const noexcept;
  const ModelOptions& options() const noexcept;

 private:
  struct Impl;
  explicit ClipTextModel(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace atelier::diffusion
