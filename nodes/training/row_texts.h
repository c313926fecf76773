// training: the words of a batch's rows, as the trainer wants them: as states of frozen text encoders, or as ids where
// what text encoders make of them is trained.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/training_batch.h"
#include "training/caption_encoder.h"
#include "types/dataset.h"

namespace atelier {

struct RowWords {
  std::size_t dataset = 0;  // index of the dataset the row is of
  std::string caption;
};

class RowTexts {
 public:
  virtual ~RowTexts() = default;
  // Sets what the batch says of the words of its rows, on the device. Errors: those of the text encoders.
  virtual Expected<void> put(std::span<const RowWords> rows, at::Device device,
                             diffusion::TrainingBatch& batch) const = 0;
};

// From the datasets where they hold them; what they lack is encoded when it comes up.
class StatesOfTexts final : public RowTexts {
 public:
  // `datasets` outlive it. Without an encoder every caption must be in its dataset.
  StatesOfTexts(std::span<const Dataset> datasets, std::optional<CaptionEncoder> encoder)
      : datasets_(datasets), encoder_(std::move(encoder)) {}
  Expected<void> put(std::span<const RowWords> rows, at::Device device, diffusion::TrainingBatch& batch) const override;

 private:
  Expected<EncodedText> text_of(const RowWords& words) const;

  std::span<const Dataset> datasets_;
  std::optional<CaptionEncoder> encoder_;
};

// As ids, for what text encoders make of them, or of some words, is trained or is not the base's own.
class IdsOfTexts final : public RowTexts {
 public:
  IdsOfTexts(std::shared_ptr<const diffusion::TextEncoders> encoders, std::int64_t max_token_length,
             std::vector<diffusion::TextWord> words)
      : encoders_(std::move(encoders)), max_token_length_(max_token_length), words_(std::move(words)) {}
  Expected<void> put(std::span<const RowWords> rows, at::Device device, diffusion::TrainingBatch& batch) const override;

 private:
  std::shared_ptr<const diffusion::TextEncoders> encoders_;
  std::int64_t max_token_length_;
  std::vector<diffusion::TextWord> words_;
};

}  // namespace atelier
