#include "training/row_texts.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "model/tensors.h"
#include "model/torch_call.h"

namespace atelier {

Expected<EncodedText> StatesOfTexts::text_of(const RowWords& words) const {
  const auto& known = datasets_[words.dataset].texts;
  if (const auto found = known.find(words.caption); found != known.end()) return found->second;
  if (!encoder_) return failure(fmt::format("the caption \"{}\" was not encoded", words.caption), ErrorKind::fault);
  return encoder_->encode(words.caption);
}

Expected<void> StatesOfTexts::put(std::span<const RowWords> rows, at::Device device,
                                  diffusion::TrainingBatch& batch) const {
  std::vector<at::Tensor> states, pooled;
  for (const auto& row : rows) {
    const auto text = text_of(row);
    if (!text) return tl::unexpected(text.error());
    states.push_back(as_torch(text->states));
    if (text->pooled) pooled.push_back(as_torch(*text->pooled));
  }
  batch.text.context = at::stack(states).to(device);                      // [N, T, D]
  if (!pooled.empty()) batch.text.pooled = at::stack(pooled).to(device);  // [N, P]
  return {};
}

Expected<void> IdsOfTexts::put(std::span<const RowWords> rows, at::Device device,
                               diffusion::TrainingBatch& batch) const {
  std::vector<std::string> captions;
  for (const auto& row : rows) captions.push_back(row.caption);
  auto ids = encoders_->caption_ids(captions, max_token_length_, words_);
  if (!ids) return passed_on(ids.error());
  for (auto& of_encoder : ids->per_encoder) of_encoder = of_encoder.to(device);  // [N, chunks, 77]
  batch.text_ids = std::move(*ids);
  return {};
}

}  // namespace atelier
