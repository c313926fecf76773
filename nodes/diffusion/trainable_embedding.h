// The mode `textual_inversion` (Gal et al. 2022): the rows that a new word stands for, and nothing else.
#pragma once

#include <memory>
#include <vector>

#include "diffusion/trainable.h"

namespace atelier::diffusion {

/// The vectors a word begins with: those of a word that is near to it, or random ones.
struct EmbeddingStart {
  std::vector<at::Tensor> rows;  ///< per text encoder [n, D], equal n; batches name them by ids from vocab_size on
};

class TrainableEmbedding final : public Trainable {
 public:
  /// Copies the rows. Errors: a base without text encoders; rows for another number of them, or of another width or
  /// number than they and each other.
  static Result<std::unique_ptr<TrainableEmbedding>> create(TrainingBase base, const EmbeddingStart& start);

  TrainingPass pass(std::vector<int64_t> tenant_of_row, const Dropout& dropout) const override;

  /// The rows per text encoder, of values by the names of tensors(); shares them.
  std::vector<at::Tensor> rows_of(const std::map<std::string, at::Tensor>& values) const;

 private:
  TrainableEmbedding(TrainingBase base, const EmbeddingStart& start);

  TrainingBase base_;
};

}  // namespace atelier::diffusion
