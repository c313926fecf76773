// The seam between a step and what it trains: factors of LoRAs, rows for new words, or the base's own weights. The
// trainer knows tensors with names; a mode knows how they enter the models.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/dropout.h"
#include "diffusion/text_encoders.h"
#include "diffusion/training_batch.h"
#include "diffusion/unet.h"

namespace atelier::diffusion {

/// What a training stands on. Neither is changed.
struct TrainingBase {
  std::shared_ptr<const UNet> unet;
  std::shared_ptr<const TextEncoders> text{};  ///< where text encoders or words are trained
};

/// Which learning rate a tensor goes with.
enum class TrainedPart { unet, text };

/// One trained tensor.
struct TrainedTensor {
  std::string name;  ///< `<layer>.lora_A`, `embedding.0`, `unet.conv_in.weight`
  at::Tensor value;  ///< [K, …] float32; the optimizer changes it in place
  at::Tensor leaf;   ///< what gradients are taken for: of the models' dtype, with or without the axis of tenants
  TrainedPart part = TrainedPart::unet;
};

/// The models of one pass and what is added to them.
struct TrainingPass {
  const UNet* unet = nullptr;
  const TextEncoders* text = nullptr;
  Adapters adapters{};              ///< of the UNet and of the text encoders, for the rows of the pass
  std::vector<at::Tensor> extra{};  ///< rows behind each text encoder's table of token embeddings
};

/// What one mode trains.
class Trainable {
 public:
  virtual ~Trainable() = default;

  const std::vector<TrainedTensor>& tensors() const noexcept { return tensors_; }
  virtual int64_t tenants() const noexcept { return 1; }
  /// The factors of all tenants; empty where no LoRA is trained.
  const Adapters& adapters() const noexcept { return adapters_; }

  /// The pass of rows that belong to these tenants, recorded for gradients where the caller's grad mode is on.
  virtual TrainingPass pass(std::vector<int64_t> tenant_of_row, const Dropout& dropout) const = 0;

  /// Takes over what changed in the values, where the models hold copies of them.
  virtual void values_changed() {}

 protected:
  std::vector<TrainedTensor> tensors_;
  Adapters adapters_;
};

}  // namespace atelier::diffusion
