#include "diffusion/trainable_embedding.h"

#include <fmt/format.h>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

Result<void> check_rows(const TrainingBase& base, const std::vector<at::Tensor>& rows) {
  if (!base.text) return fail("training: a word is trained, and the training was given no text encoders");
  if (rows.size() != base.text->size())
    return fail(fmt::format("training: the word has rows for {} text encoders, the base has {}", rows.size(),
                            base.text->size()));
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t width = (*base.text)[i].model->config().hidden_size;
    const std::vector<int64_t> wanted{rows[0].size(0), width};
    if (!rows[i].defined() || rows[i].sizes() != wanted || wanted[0] < 1)
      return fail(fmt::format("training: the word's rows of text encoder {} have shape {}, wanted is [{}, {}]", i + 1,
                              rows[i].defined() ? shape_text(rows[i].sizes()) : "none",
                              wanted[0] < 1 ? "n" : std::to_string(wanted[0]), width));
  }
  return {};
}

}  // namespace

TrainableEmbedding::TrainableEmbedding(TrainingBase base, const EmbeddingStart& start) : base_(std::move(base)) {
  for (size_t i = 0; i < start.rows.size(); ++i) {
    const at::Tensor rows = start.rows[i].detach().to(base_.unet->device(), at::kFloat, false, true).contiguous();
    tensors_.push_back({.name = fmt::format("embedding.{}", i),
                        .value = rows.unsqueeze(0),
                        .leaf = rows.detach().requires_grad_(true),
                        .part = TrainedPart::text});
  }
}

Result<std::unique_ptr<TrainableEmbedding>> TrainableEmbedding::create(TrainingBase base, const EmbeddingStart& start) {
  if (auto fits = check_rows(base, start.rows); !fits) return tl::unexpected(fits.error());
  return std::unique_ptr<TrainableEmbedding>(new TrainableEmbedding(std::move(base), start));
}

TrainingPass TrainableEmbedding::pass(std::vector<int64_t>, const Dropout&) const {
  TrainingPass pass{.unet = base_.unet.get(), .text = base_.text.get()};
  for (const TrainedTensor& tensor : tensors_) pass.extra.push_back(tensor.leaf);
  return pass;
}

std::vector<at::Tensor> TrainableEmbedding::rows_of(const std::map<std::string, at::Tensor>& values) const {
  std::vector<at::Tensor> rows;
  for (const TrainedTensor& tensor : tensors_) rows.push_back(values.at(tensor.name));
  return rows;
}

}  // namespace atelier::diffusion
