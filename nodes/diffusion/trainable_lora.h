// The mode `lora`: factors beside the frozen layers of the UNet and the text encoders.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/lora.h"
#include "diffusion/trainable.h"

namespace atelier::diffusion {

/// One LoRA per tenant, of equal layers and ranks; and, all alike, the fixed rows of words trained before (pivotal).
struct LoraStart {
  std::vector<Lora> loras;
  std::vector<at::Tensor> extra{};  ///< per text encoder [M, D]; empty: no words
};

class TrainableLora final : public Trainable {
 public:
  /// Copies the LoRAs to the base's device. Errors: no LoRA or one without layers; a layer that the base does not have,
  /// or of another shape; tenants whose layers or ranks differ; layers of text encoders where the base has none.
  static Result<std::unique_ptr<TrainableLora>> create(TrainingBase base, const LoraStart& start);

  int64_t tenants() const noexcept override { return static_cast<int64_t>(alphas_.size()); }
  TrainingPass pass(std::vector<int64_t> tenant_of_row, const Dropout& dropout) const override;

  /// Tenant `k`'s LoRA of values by the names of tensors(); shares them.
  Lora lora_of(const std::map<std::string, at::Tensor>& values, int64_t k) const;

 private:
  TrainableLora(TrainingBase base, Adapters adapters, const LoraStart& start);

  TrainingBase base_;
  std::vector<std::map<std::string, double>> alphas_;  // of each tenant's layers
  std::optional<LoraBase> made_for_;
  std::vector<at::Tensor> extra_;
};

}  // namespace atelier::diffusion
