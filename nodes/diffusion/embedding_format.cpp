#include "diffusion/embedding_format.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>

#include "diffusion/finite.h"

namespace atelier::diffusion {
namespace {

constexpr const char* kOneEncoder = "emb_params";

/// The tensors of the first and the second text encoder: kohya's and WebUI's names, then those of diffusers' first
/// DreamBooth script for SDXL.
struct TwoEncoders {
  const char *first, *second;
};
constexpr std::array kTwoEncoders = {TwoEncoders{"clip_l", "clip_g"},
                                     TwoEncoders{"text_encoders_0", "text_encoders_1"}};

Result<at::Tensor> rows_of(const std::string& key, const at::Tensor& tensor) {
  const bool rows = tensor.dim() == 1 || (tensor.dim() == 2 && tensor.size(0) > 0);
  if (!rows || tensor.size(-1) == 0)
    return fail(
        fmt::format("tensor '{}' has shape {}, an embedding has [vectors, width]", key, shape_text(tensor.sizes())));
  if (!tensor.is_floating_point())
    return fail(fmt::format("tensor '{}' holds whole numbers, which is no embedding", key));
  return tensor.reshape({-1, tensor.size(-1)}).to(at::kFloat);  // [n, D]
}

Result<Embedding> of_one_encoder(const std::string& key, const at::Tensor& tensor, const std::string& word) {
  auto rows = rows_of(key, tensor);
  if (!rows) return tl::unexpected(rows.error());
  return Embedding{key == kOneEncoder ? word : key, {*std::move(rows)}};
}

Result<Embedding> of_two_encoders(const WeightMap& tensors, const TwoEncoders& names, const std::string& word) {
  auto first = rows_of(names.first, tensors.at(names.first));
  if (!first) return tl::unexpected(first.error());
  auto second = rows_of(names.second, tensors.at(names.second));
  if (!second) return tl::unexpected(second.error());
  if (first->size(0) != second->size(0))
    return fail(fmt::format("'{}' has {} vectors and '{}' {}; a word has as many in both text encoders", names.first,
                            first->size(0), names.second, second->size(0)));
  return Embedding{word, {*std::move(first), *std::move(second)}};
}

}  // namespace

EmbeddingFile to_kohya(const Embedding& embedding, const EmbeddingMetadata& about) {
  EmbeddingFile file;
  const bool two = embedding.vectors.size() == 2;
  for (size_t i = 0; i < embedding.vectors.size(); ++i) {
    const char* key = !two ? kOneEncoder : i == 0 ? kTwoEncoders[0].first : kTwoEncoders[0].second;
    file.tensors[key] = embedding.vectors[i].to(at::kFloat).contiguous();
  }
  file.metadata = {{"format", "pt"},
                   {"modelspec.architecture", fmt::format("{}/textual-inversion", modelspec_architecture(about.base))},
                   {"modelspec.implementation", "https://github.com/Stability-AI/generative-models"},
                   {"modelspec.prediction_type", std::string(modelspec_prediction(about.base))},
                   {"modelspec.sai_model_spec", "1.0.0"},
                   {"modelspec.title", about.title}};
  if (about.date) file.metadata["modelspec.date"] = *about.date;
  return file;
}

Result<Embedding> embedding_of_file(const EmbeddingFile& file, const std::string& word) {
  if (file.tensors.size() == 1) {
    const auto& [key, tensor] = *file.tensors.begin();
    return of_one_encoder(key, tensor, word);
  }
  for (const TwoEncoders& names : kTwoEncoders)
    if (file.tensors.size() == 2 && file.tensors.contains(names.first) && file.tensors.contains(names.second))
      return of_two_encoders(file.tensors, names, word);
  return fail(
      fmt::format("it holds {} tensors, which is no embedding: that has emb_params, or clip_l and clip_g, or one "
                  "tensor named as its word",
                  file.tensors.size()));
}

Result<Embedding> read_embedding(const std::filesystem::path& path) {
  const auto opened = Safetensors::open(path);
  if (!opened) return tl::unexpected(opened.error());
  auto tensors = opened->tensors();
  if (!tensors) return tl::unexpected(tensors.error());
  if (auto finite = check_finite(*tensors, path); !finite) return tl::unexpected(finite.error());
  return embedding_of_file({*std::move(tensors), opened->metadata()}, path.stem().string())
      .map_error([&](const Error& error) { return Error{fmt::format("{}: {}", path.string(), error.message)}; });
}

}  // namespace atelier::diffusion
