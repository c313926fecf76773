#include "types/embedding.h"

#include <fmt/format.h>

#include "types/json_fields.h"

namespace atelier {
namespace {

constexpr std::int64_t kMostEncoders = 2;

std::string tensor_name(std::size_t encoder) { return fmt::format("vectors.{}", encoder); }

}  // namespace

Artifact WordVectors::to_artifact() const {
  Artifact artifact;
  artifact.metadata = {{"type", "embedding"}, {"word", word}, {"encoders", vectors.size()}, {"facts", facts}};
  if (base) artifact.metadata["base"] = base->hex();
  for (std::size_t i = 0; i < vectors.size(); ++i) artifact.tensors[tensor_name(i)] = vectors[i];
  return artifact;
}

Expected<WordVectors> WordVectors::from(const Artifact& artifact) {
  WordVectors result;
  const auto type = field<std::string>(artifact.metadata, "type", "embedding");
  if (!type) return tl::unexpected(type.error());
  if (*type != "embedding") return malformed(fmt::format("embedding: the artifact is of the type '{}'", *type));
  auto word = field<std::string>(artifact.metadata, "word", "embedding");
  if (!word) return tl::unexpected(word.error());
  if (word->empty()) return malformed("embedding: its word is empty");
  result.word = std::move(*word);
  const auto encoders = field<std::int64_t>(artifact.metadata, "encoders", "embedding");
  if (!encoders) return tl::unexpected(encoders.error());
  if (*encoders < 1 || *encoders > kMostEncoders || static_cast<std::size_t>(*encoders) != artifact.tensors.size())
    return malformed(fmt::format("embedding: {} tensors for {} text encoders", artifact.tensors.size(), *encoders));
  for (std::size_t i = 0; i < artifact.tensors.size(); ++i) {
    auto vectors = tensor_field(artifact, tensor_name(i), 2, "embedding");
    if (!vectors) return tl::unexpected(vectors.error());
    if (vectors->elements() == 0) return malformed(fmt::format("embedding: '{}' is empty", tensor_name(i)));
    result.vectors.push_back(std::move(*vectors));
    if (result.vectors[i].shape()[0] != result.vectors[0].shape()[0])
      return malformed("embedding: the text encoders have unequal numbers of vectors");
  }
  if (artifact.metadata.contains("base")) {
    const auto digest = digest_field(artifact.metadata, "base", "embedding");
    if (!digest) return tl::unexpected(digest.error());
    result.base = *digest;
  }
  result.facts = artifact.metadata.value("facts", nlohmann::json::object());
  return result;
}

}  // namespace atelier
