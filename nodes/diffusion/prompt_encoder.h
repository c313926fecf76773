// From prompts to what the UNet is told of them: chunks through the text encoders, weights on the hidden states, words
// with vectors of their own. As Stable Diffusion WebUI does it; a prompt without its grammar and of at most 75 tokens
// is told as diffusers does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/embedding.h"
#include "diffusion/error.h"
#include "diffusion/prompt.h"
#include "diffusion/prompt_chunks.h"
#include "diffusion/text_conditioning.h"
#include "diffusion/text_encoders.h"

namespace atelier::diffusion {

/// How prompts are encoded.
struct PromptRun {
  int64_t clip_skip = 1;               ///< as in TextRun
  const Adapters* adapters = nullptr;  ///< of the text encoders; none: the base alone
  bool zeros_without_negative = true;  ///< SDXL's `force_zeros_for_empty_prompt`; SD 1.x and 2.x have no such thing
};

/// Both sides of classifier-free guidance, one text each and equally many tokens: [1, T, D].
struct GuidedText {
  TextConditioning prompt;
  TextConditioning negative;
};

/// Immutable; copies share the models.
class PromptEncoder {
 public:
  /// Embeddings' words may be used in the prompts. Errors: an embedding made for other text encoders, two of one name.
  static Result<PromptEncoder> create(TextEncoders encoders, std::vector<Embedding> embeddings = {});

  /// N prompts in float32 on the models' device: context [N, 77 * chunks, D], in SDXL pooled [N, P]. All have as many
  /// chunks as the longest; empty ones are put behind the others. Each chunk goes through the encoders by itself. Where
  /// a token's weight is not 1, the chunk's states are multiplied by their tokens' weights and then, all of them, by
  /// what restores their mean (of each encoder's; WebUI's emphasis "Original"). `pooled` is the first chunk's and
  /// weighs nothing. Errors: those of prompt_chunks() and TextEncoders::encode().
  Result<TextConditioning> encode(std::span<const ParsedPrompt> prompts, const PromptRun& run = {}) const;

  /// The prompt and the negative one. Without a negative one SDXL is told zeros, states and pooled both, the others the
  /// empty text; an empty one is encoded like any text.
  Result<GuidedText> encode_guided(const ParsedPrompt& prompt, const std::optional<ParsedPrompt>& negative,
                                   const PromptRun& run = {}) const;

  /// How many chunks the prompt has; over 1 it is longer than the text encoder reads at once.
  Result<std::size_t> chunks(const ParsedPrompt& prompt) const;

  const TextEncoders& encoders() const noexcept { return encoders_; }

 private:
  explicit PromptEncoder(TextEncoders encoders) : encoders_(std::move(encoders)) {}
  using Chunks = std::vector<std::vector<PromptChunk>>;  ///< per text encoder
  Result<Chunks> chunks_of(const ParsedPrompt& prompt) const;
  Result<TextConditioning> encode_chunks(const Chunks& chunks, std::size_t count, const PromptRun& run) const;
  at::Tensor weighted(const at::Tensor& context, const Chunks& chunks, std::size_t index) const;

  TextEncoders encoders_;
  std::vector<std::vector<PromptWord>> words_;  ///< per text encoder
  std::vector<at::Tensor> rows_;                ///< per text encoder [M, D] of all words; empty without words
};

}  // namespace atelier::diffusion
