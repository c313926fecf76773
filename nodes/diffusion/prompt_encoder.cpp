#include "diffusion/prompt_encoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

const char* plural(std::size_t count, const char* one, const char* many) { return count == 1 ? one : many; }

Result<void> check_embedding(const Embedding& embedding, const TextEncoders& encoders) {
  if (embedding.vectors.size() != encoders.size()) {
    return fail(fmt::format("the embedding '{}' is for {} text {}, the base has {}", embedding.name,
                            embedding.vectors.size(), plural(embedding.vectors.size(), "encoder", "encoders"),
                            encoders.size()));
  }
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    const at::Tensor& rows = embedding.vectors[i];
    const int64_t width = encoders[i].model->config().hidden_size;
    if (rows.dim() != 2 || rows.size(0) < 1 || rows.size(1) != width || rows.size(0) != embedding.vectors[0].size(0)) {
      return fail(
          fmt::format("the embedding '{}' is {} for text encoder {}, expected [n, {}]; it was made for another "
                      "base",
                      embedding.name, shape_text(rows.sizes()), i + 1, width));
    }
  }
  return {};
}

/// @param states  [1, T, D] of one chunk
at::Tensor emphasized(const at::Tensor& states, const std::vector<float>& weights) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  const at::Tensor factors = at::tensor(weights, options).to(states.device()).view({1, -1, 1});
  const at::Tensor product = states * factors;
  return product * (states.mean() / product.mean());
}

at::Tensor ids_tensor(const PromptChunk& chunk) {
  return at::tensor(chunk.ids, at::kLong).view({1, 1, -1});  // [N, chunks, T] of one text and chunk
}

TextConditioning zeros_like(const TextConditioning& told) {
  return {at::zeros_like(told.context), told.pooled.defined() ? at::zeros_like(told.pooled) : at::Tensor()};
}

}  // namespace

Result<PromptEncoder> PromptEncoder::create(TextEncoders encoders, std::vector<Embedding> embeddings) {
  PromptEncoder made(std::move(encoders));
  const std::size_t size = made.encoders_.size();
  made.words_.resize(size);
  std::vector<std::vector<at::Tensor>> rows(size);
  int64_t offset = 0;
  for (const Embedding& embedding : embeddings) {
    if (auto ok = check_embedding(embedding, made.encoders_); !ok) return tl::unexpected(ok.error());
    if (std::ranges::find(made.words_[0], embedding.name, &PromptWord::name) != made.words_[0].end()) {
      return fail(fmt::format("two embeddings are called '{}'", embedding.name));
    }
    const int64_t vectors = embedding.vectors[0].size(0);
    for (std::size_t i = 0; i < size; ++i) {
      const int64_t first = made.encoders_[i].model->config().vocab_size + offset;
      made.words_[i].push_back({embedding.name, first, vectors});
      rows[i].push_back(embedding.vectors[i].to(at::kFloat).cpu());
    }
    offset += vectors;
  }
  for (const auto& each : rows) {
    if (!each.empty()) made.rows_.push_back(at::cat(each));  // [M, D]
  }
  return made;
}

Result<PromptEncoder::Chunks> PromptEncoder::chunks_of(const ParsedPrompt& prompt) const {
  Chunks all;
  for (std::size_t i = 0; i < encoders_.size(); ++i) {
    auto chunks = prompt_chunks(prompt, *encoders_[i].tokenizer, words_[i]);
    if (!chunks) return tl::unexpected(chunks.error());
    all.push_back(std::move(*chunks));
  }
  return all;
}

Result<std::size_t> PromptEncoder::chunks(const ParsedPrompt& prompt) const {
  const auto all = chunks_of(prompt);
  if (!all) return tl::unexpected(all.error());
  std::size_t most = 0;
  for (const auto& chunks : *all) most = std::max(most, chunks.size());
  return most;
}

at::Tensor PromptEncoder::weighted(const at::Tensor& context, const Chunks& chunks, std::size_t index) const {
  std::vector<at::Tensor> parts;
  int64_t from = 0;
  for (std::size_t i = 0; i < encoders_.size(); ++i) {
    const int64_t width = encoders_[i].model->config().hidden_size;
    const at::Tensor states = context.narrow(-1, from, width);  // [1, T, D of the encoder]
    const auto& weights = chunks[i][index].weights;
    const bool plain = std::ranges::all_of(weights, [](float weight) { return weight == 1; });
    parts.push_back(plain ? states : emphasized(states, weights));
    from += width;
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts, -1);
}

/// One text's chunks, one after the other.
Result<TextConditioning> PromptEncoder::encode_chunks(const Chunks& chunks, std::size_t count,
                                                      const PromptRun& run) const {
  const TextRun text_run{run.clip_skip, run.adapters, rows_};
  TextConditioning told;
  std::vector<at::Tensor> contexts;
  for (std::size_t c = 0; c < count; ++c) {
    TextIds ids;
    for (const auto& each : chunks) ids.per_encoder.push_back(ids_tensor(each[c]));
    auto one = encoders_.encode(ids, text_run);
    if (!one) return one;
    contexts.push_back(weighted(one->context, chunks, c));
    if (c == 0) told.pooled = one->pooled;
  }
  told.context = at::cat(contexts, 1);  // [1, T * count, D]
  return told;
}

Result<TextConditioning> PromptEncoder::encode(std::span<const ParsedPrompt> prompts, const PromptRun& run) const {
  const at::NoGradGuard no_grad;
  if (prompts.empty()) return fail("no prompts were given to encode");
  std::vector<Chunks> all;
  std::size_t count = 1;
  for (const ParsedPrompt& prompt : prompts) {
    auto chunks = chunks_of(prompt);
    if (!chunks) return tl::unexpected(chunks.error());
    for (const auto& each : *chunks) count = std::max(count, each.size());
    all.push_back(std::move(*chunks));
  }
  std::vector<at::Tensor> contexts, pooled;
  for (Chunks& chunks : all) {
    for (std::size_t i = 0; i < chunks.size(); ++i) chunks[i].resize(count, empty_chunk(*encoders_[i].tokenizer));
    auto told = encode_chunks(chunks, count, run);
    if (!told) return told;
    contexts.push_back(told->context);
    if (told->pooled.defined()) pooled.push_back(told->pooled);
  }
  return TextConditioning{at::cat(contexts), pooled.empty() ? at::Tensor() : at::cat(pooled)};
}

Result<GuidedText> PromptEncoder::encode_guided(const ParsedPrompt& prompt, const std::optional<ParsedPrompt>& negative,
                                                const PromptRun& run) const {
  const bool zeros = !negative && run.zeros_without_negative && encoders_.architecture() == Architecture::sdxl;
  std::vector<ParsedPrompt> both{prompt};
  if (!zeros) both.push_back(negative.value_or(literal_prompt("")));
  const auto told = encode(both, run);
  if (!told) return tl::unexpected(told.error());
  if (zeros) return GuidedText{*told, zeros_like(*told)};
  const auto row = [&](int64_t i) {
    return TextConditioning{told->context.narrow(0, i, 1),
                            told->pooled.defined() ? told->pooled.narrow(0, i, 1) : at::Tensor()};
  };
  return GuidedText{row(0), row(1)};
}

}  // namespace atelier::diffusion
