#include "types/encoded_text.h"

#include <vector>

#include "types/json_fields.h"

namespace atelier {
namespace {

std::string states_name(std::size_t i) { return fmt::format("text/{:05}", i); }
std::string pooled_name(std::size_t i) { return fmt::format("pooled/{:05}", i); }

}  // namespace

void put_texts(const EncodedTexts& texts, const TextSettings& settings, Artifact& artifact) {
  auto captions = nlohmann::json::array();
  for (const auto& [caption, text] : texts) {
    artifact.tensors[states_name(captions.size())] = text.states;
    if (text.pooled) artifact.tensors[pooled_name(captions.size())] = *text.pooled;
    captions.push_back(caption);
  }
  artifact.metadata["texts"] = std::move(captions);
  artifact.metadata["text_settings"] = {{"clip_skip", settings.clip_skip},
                                        {"max_token_length", settings.max_token_length}};
}

Expected<EncodedTexts> texts_of(const Artifact& artifact, std::string_view what) {
  const auto captions = field<std::vector<std::string>>(artifact.metadata, "texts", what);
  if (!captions) return tl::unexpected(captions.error());
  EncodedTexts texts;
  for (std::size_t i = 0; i < captions->size(); ++i) {
    auto states = tensor_field(artifact, states_name(i), 2, what);
    if (!states) return tl::unexpected(states.error());
    auto& text = texts[(*captions)[i]] = {std::move(*states)};
    if (!artifact.tensors.contains(pooled_name(i))) continue;
    auto pooled = tensor_field(artifact, pooled_name(i), 1, what);
    if (!pooled) return tl::unexpected(pooled.error());
    text.pooled = std::move(*pooled);
  }
  return texts;
}

Expected<TextSettings> text_settings_of(const Artifact& artifact, std::string_view what) {
  const auto json = field<nlohmann::json>(artifact.metadata, "text_settings", what);
  if (!json) return tl::unexpected(json.error());
  const auto skip = field<std::int64_t>(*json, "clip_skip", what);
  const auto length = field<std::int64_t>(*json, "max_token_length", what);
  if (!skip) return tl::unexpected(skip.error());
  if (!length) return tl::unexpected(length.error());
  return TextSettings{*skip, *length};
}

}  // namespace atelier
