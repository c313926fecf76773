// The mode `full`: the base's own weights, all or some, of the UNet and of the text encoders. A DreamBooth, or a small
// base from scratch.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "diffusion/trainable.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

/// One text encoder of the base.
struct TextEncoderWeights {
  std::shared_ptr<const ClipTokenizer> tokenizer;
  TextConfig config{};
  WeightMap weights{};  ///< by the names of its file
};

/// What a training of weights stands on. Names of weights are `unet.`, `text_encoder.` or `text_encoder_2.` and then
/// the name in that part's file.
struct WeightsStart {
  UNetConfig unet_config{};
  WeightMap unet{};
  Architecture architecture = Architecture::sd1;
  std::vector<TextEncoderWeights> text{};  ///< where any of them is trained; else empty
  std::vector<std::string> targets{};      ///< which weights, see name_patterns.h; empty: all that are given
  ModelOptions options{};                  ///< where, and in which precision, the models compute
};

/// Values are float32. Where the models compute in less, they hold a rounded copy of each that follows it; what is not
/// trained is held once, in the precision of the models.
class TrainableWeights final : public Trainable {
 public:
  /// Errors: weights that are missing or of another shape; targets that match nothing.
  static Result<std::unique_ptr<TrainableWeights>> create(const WeightsStart& start);

  /// The models that are trained.
  const TrainingBase& base() const noexcept { return base_; }

  TrainingPass pass(std::vector<int64_t> tenant_of_row, const Dropout& dropout) const override;
  void values_changed() override;

 private:
  TrainableWeights() = default;

  TrainingBase base_;
};

}  // namespace atelier::diffusion
