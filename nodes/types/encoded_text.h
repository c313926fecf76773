// types: a caption as the base's text encoders see it, and how latents and datasets keep captions.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "artifact/artifact.h"
#include "base/error.h"

namespace atelier {

// How captions become hidden states; the same for all captions of a training.
struct TextSettings {
  std::int64_t clip_skip = 1;          // as kohya and WebUI count: 1 is the last layer
  std::int64_t max_token_length = 75;  // 75, 150 or 225; longer captions are cut

  bool operator==(const TextSettings&) const = default;
};

struct EncodedText {
  Tensor states;                      // [T, D] f32; T is 77, or 152 or 227 for longer texts
  std::optional<Tensor> pooled = {};  // [P] f32, SDXL's vector of the whole text
};

using EncodedTexts = std::map<std::string, EncodedText>;  // by caption

// Puts them into an artifact: tensors `text/00000` and `pooled/00000` in the captions' order, which are metadata
// `texts`; settings are metadata `text_settings`.
void put_texts(const EncodedTexts& texts, const TextSettings& settings, Artifact& artifact);

// What was put; `what` says which artifact it is in messages. Fault: a missing field or tensor, named.
Expected<EncodedTexts> texts_of(const Artifact& artifact, std::string_view what);
Expected<TextSettings> text_settings_of(const Artifact& artifact, std::string_view what);

}  // namespace atelier
