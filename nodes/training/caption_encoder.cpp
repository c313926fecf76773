#include "training/caption_encoder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "model/base_model.h"
#include "model/tensors.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

constexpr std::size_t most_told_bytes = 80;  // of a caption, in a message

std::string beginning_of(const std::string& caption) {
  if (caption.size() <= most_told_bytes) return caption;
  std::size_t end = most_told_bytes;
  while (end > 0 && (static_cast<unsigned char>(caption[end]) & 0xC0U) == 0x80U) --end;  // not within a character
  return caption.substr(0, end) + "…";
}

}  // namespace

Expected<CaptionEncoder> CaptionEncoder::create(const Model& base, const TextSettings& settings, Device& device) {
  auto encoders = resident_text_encoders(base, device);
  if (!encoders) return tl::unexpected(encoders.error());
  return CaptionEncoder(std::move(*encoders), settings);
}

Expected<EncodedText> CaptionEncoder::encode(const std::string& caption) const {
  const auto ids = encoders_->caption_ids({&caption, 1}, settings_.max_token_length);
  if (!ids) return passed_on(ids.error());
  const auto conditioning = encoders_->encode(*ids, {.clip_skip = settings_.clip_skip});
  if (!conditioning) return passed_on(conditioning.error());
  EncodedText text{as_tensor(conditioning->context[0])};                                 // [T, D]
  if (conditioning->pooled.defined()) text.pooled = as_tensor(conditioning->pooled[0]);  // [P]
  return text;
}

std::string CaptionEncoder::told_if_cut(const std::string& caption) const {
  const auto lost = encoders_->truncated(caption, settings_.max_token_length);
  if (lost == 0) return {};
  return fmt::format("the caption \"{}\" is too long: its last {} token{} left out", beginning_of(caption), lost,
                     lost == 1 ? " is" : "s are");
}

}  // namespace atelier
