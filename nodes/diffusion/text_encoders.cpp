#include "diffusion/text_encoders.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "diffusion/prompt_chunks.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

constexpr int64_t kMostChunks = 3;  // kohya's 225
constexpr int64_t kEnds = 2;        // start and end of a chunk

/// How many ids of the text itself a chunk holds.
int64_t room(const ClipTokenizer& tokenizer) { return static_cast<int64_t>(tokenizer.length()) - kEnds; }

/// A chunk of the padded ids, as kohya's trainer cuts them: text after its own start token; the end token behind a full
/// chunk; a chunk of padding alone begins with the end token.
std::vector<int64_t> cut_chunk(const ClipTokenizer& tokenizer, std::span<const int64_t> inside, int64_t last) {
  std::vector<int64_t> chunk{tokenizer.start_id()};
  chunk.insert(chunk.end(), inside.begin(), inside.end());
  chunk.push_back(last);
  const int64_t end = tokenizer.end_id(), padding = tokenizer.padding_id();
  if (padding == end) {
    chunk.back() = end;
  } else {
    if (inside.back() != end && inside.back() != padding) chunk.back() = end;
    if (chunk[1] == padding) chunk[1] = end;
  }
  return chunk;
}

/// The words with their ids for one encoder, behind its vocabulary.
std::vector<PromptWord> words_of(const TextEncoder& encoder, std::span<const TextWord> words) {
  std::vector<PromptWord> of_encoder;
  for (const TextWord& word : words)
    of_encoder.push_back({word.name, encoder.model->config().vocab_size + word.first, word.vectors});
  return of_encoder;
}

/// [chunks * (room + 2)] ids of one caption.
std::vector<int64_t> caption_chunks(const ClipTokenizer& tokenizer, const std::string& caption, int64_t chunks,
                                    std::span<const PromptWord> words) {
  const auto each = static_cast<std::size_t>(room(tokenizer)), total = each * static_cast<std::size_t>(chunks);
  std::vector<int64_t> ids = words.empty() ? tokenizer.encode(caption) : ids_with_words(caption, tokenizer, words);
  ids.resize(std::min(ids.size(), total));
  ids.push_back(tokenizer.end_id());
  ids.resize(total + 1, tokenizer.padding_id());  // what follows the start token
  std::vector<int64_t> all;
  for (std::size_t at = 0; at < total; at += each) {
    const auto chunk = cut_chunk(tokenizer, std::span(ids).subspan(at, each), ids.back());
    all.insert(all.end(), chunk.begin(), chunk.end());
  }
  return all;
}

Result<void> check_encoder(const TextEncoder& encoder, std::size_t index) {
  const TextConfig& config = encoder.model->config();
  const auto entries = static_cast<int64_t>(encoder.tokenizer->vocabulary_size());
  const auto length = static_cast<int64_t>(encoder.tokenizer->length());
  if (entries <= config.vocab_size && length <= config.max_positions) return {};
  return fail(fmt::format("text encoder {}: its tokenizer has {} entries and length {}, it takes {} and {}", index + 1,
                          entries, length, config.vocab_size, config.max_positions));
}

/// [N * chunks, T, D] -> [N, 75 chunks + 2 or 77 chunks, D]
at::Tensor join_chunks(const at::Tensor& states, int64_t chunks, ChunkJoin join) {
  const int64_t length = states.size(1), width = states.size(2);
  const at::Tensor apart = states.reshape({-1, chunks, length, width});
  if (chunks == 1 || join == ChunkJoin::side_by_side) return apart.flatten(1, 2);
  return at::cat({apart.select(1, 0).narrow(1, 0, 1), apart.narrow(2, 1, length - kEnds).flatten(1, 2),
                  apart.select(1, chunks - 1).narrow(1, length - 1, 1)},
                 1);
}

}  // namespace

std::string_view text_encoder_prefix(std::size_t encoder) {
  static constexpr std::array<std::string_view, 2> prefixes = {kTextEncoderPrefix, kTextEncoder2Prefix};
  return prefixes.at(encoder);
}

TextEncoders::TextEncoders(Architecture architecture, std::vector<TextEncoder> encoders)
    : architecture_(architecture), encoders_(std::move(encoders)) {}

Result<TextEncoders> TextEncoders::create(Architecture architecture, std::vector<TextEncoder> encoders) {
  const std::size_t wanted = architecture == Architecture::sdxl ? 2 : 1;
  if (encoders.size() != wanted) {
    return fail(fmt::format("the base has {} text {}, its architecture has {}", encoders.size(),
                            encoders.size() == 1 ? "encoder" : "encoders", wanted));
  }
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    if (auto ok = check_encoder(encoders[i], i); !ok) return tl::unexpected(ok.error());
    if (encoders[i].tokenizer->length() != encoders[0].tokenizer->length()) {
      return fail(fmt::format("the tokenizers have lengths {} and {}, expected the same",
                              encoders[0].tokenizer->length(), encoders[i].tokenizer->length()));
    }
  }
  if (architecture == Architecture::sdxl && !encoders[1].model->config().with_projection) {
    return fail("text encoder 2 has no projection (CLIPTextModelWithProjection), which SDXL needs");
  }
  return TextEncoders(architecture, std::move(encoders));
}

Result<TextIds> TextEncoders::caption_ids(std::span<const std::string> captions, int64_t max_token_length,
                                          std::span<const TextWord> words) const {
  const int64_t each = room(*encoders_[0].tokenizer), chunks = max_token_length / each;
  if (chunks * each != max_token_length || chunks < 1 || chunks > kMostChunks) {
    return fail(
        fmt::format("max_token_length is {}, expected {}, {} or {}", max_token_length, each, 2 * each, 3 * each));
  }
  TextIds ids;
  for (const TextEncoder& encoder : encoders_) {
    std::vector<int64_t> all;
    const auto of_encoder = words_of(encoder, words);
    for (const std::string& caption : captions) {
      const auto rows = caption_chunks(*encoder.tokenizer, caption, chunks, of_encoder);
      all.insert(all.end(), rows.begin(), rows.end());
    }
    const auto texts = static_cast<int64_t>(captions.size());
    ids.per_encoder.push_back(at::tensor(all, at::kLong).view({texts, chunks, each + kEnds}));
  }
  return ids;
}

std::size_t TextEncoders::truncated(std::string_view caption, int64_t max_token_length) const {
  std::size_t most = 0;
  for (const TextEncoder& encoder : encoders_) most = std::max(most, encoder.tokenizer->encode(caption).size());
  const auto kept = static_cast<std::size_t>(max_token_length);
  return most > kept ? most - kept : 0;
}

Result<void> TextEncoders::check(const TextIds& ids, const TextRun& run) const {
  if (run.clip_skip != 1 && run.clip_skip != 2) {
    return fail(fmt::format("clip_skip is {}, expected 1 or 2", run.clip_skip));
  }
  if (run.clip_skip == 2 && architecture_ != Architecture::sd1) {
    return fail(fmt::format(
        "clip_skip is 2, which only SD 1.x bases have; {} uses {}",
        architecture_ == Architecture::sd2 ? "SD 2.x" : "SDXL",
        architecture_ == Architecture::sd2 ? "the states it was trained with" : "the penultimate states already"));
  }
  if (ids.per_encoder.size() != size() || (!run.extra.empty() && run.extra.size() != size())) {
    return fail(fmt::format("ids for {} text encoders and extra embeddings for {} were given, the base has {}",
                            ids.per_encoder.size(), run.extra.size(), size()));
  }
  for (const at::Tensor& one : ids.per_encoder) {
    if (one.dim() != 3 || one.size(1) < 1 || one.sizes().slice(0, 2) != ids.per_encoder[0].sizes().slice(0, 2)) {
      return fail(fmt::format("text ids are {}, expected [N, chunks, T], N and chunks the same for each encoder",
                              shape_text(one.sizes())));
    }
  }
  return {};
}

Result<TextConditioning> TextEncoders::forward(const TextIds& ids, const TextRun& run) const {
  if (auto ok = check(ids, run); !ok) return tl::unexpected(ok.error());
  const bool sdxl = architecture_ == Architecture::sdxl;
  const bool penultimate = sdxl || run.clip_skip == 2;
  const int64_t chunks = ids.per_encoder[0].size(1);
  Adapters of_chunks;
  const Adapters* adapters = run.adapters;
  if (adapters != nullptr && chunks > 1) adapters = &(of_chunks = run.adapters->rows_repeated(chunks));
  std::vector<at::Tensor> contexts;
  TextConditioning told;
  for (std::size_t i = 0; i < size(); ++i) {
    const ClipTextModel& model = *encoders_[i].model;
    const bool pooled = sdxl && i == 1;
    TextPass pass{.adapters = adapters};
    if (!run.extra.empty()) pass.extra = run.extra[i];
    if (penultimate && !pooled) pass.depth = TextDepth::penultimate;
    auto states = model.forward(ids.per_encoder[i].flatten(0, 1), pass);
    if (!states) return tl::unexpected(states.error());
    at::Tensor context = penultimate ? states->penultimate : states->last;
    if (run.clip_skip == 2) context = model.final_norm(context);
    contexts.push_back(join_chunks(context.to(at::kFloat), chunks, ids.join));
    if (pooled) told.pooled = states->embeds.to(at::kFloat).view({-1, chunks, states->embeds.size(1)}).select(1, 0);
  }
  told.context = contexts.size() == 1 ? contexts[0] : at::cat(contexts, -1);
  return told;
}

Result<TextConditioning> TextEncoders::encode(const TextIds& ids, const TextRun& run) const {
  const at::NoGradGuard no_grad;
  return forward(ids, run);
}

Result<TextConditioning> TextEncoders::encode_captions(std::span<const std::string> captions) const {
  auto ids = caption_ids(captions);
  if (!ids) return tl::unexpected(ids.error());
  return encode(*ids);
}

std::vector<LoraTarget> TextEncoders::adaptable_layers() const {
  std::vector<LoraTarget> all;
  for (const TextEncoder& encoder : encoders_) {
    const auto& layers = encoder.model->adaptable_layers();
    all.insert(all.end(), layers.begin(), layers.end());
  }
  std::ranges::sort(all, {}, &LoraTarget::name);
  return all;
}

}  // namespace atelier::diffusion
