// The text encoders of a base with their tokenizers, and its architecture's rule for what the UNet is told: one encoder
// in SD 1.x and 2.x, two in SDXL.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/clip_text.h"
#include "diffusion/config.h"
#include "diffusion/error.h"
#include "diffusion/text_conditioning.h"
#include "diffusion/tokenizer.h"

namespace atelier::diffusion {

/// What adapters call the layers of the base's first and second text encoder by: `text_encoder.`, `text_encoder_2.`.
std::string_view text_encoder_prefix(std::size_t encoder);

struct TextEncoder {
  std::shared_ptr<const ClipTokenizer> tokenizer;
  std::shared_ptr<const ClipTextModel> model;
};

/// How the states of a long text's chunks are put together.
enum class ChunkJoin {
  one_text,      ///< kohya's captions: the first chunk's start, what lies within each, the last one's end: 75 n + 2
  side_by_side,  ///< WebUI's prompts: each chunk whole, its start and end too: 77 n
};

/// Texts as ids, in chunks of the encoders' length, each chunk with its own start and end.
struct TextIds {
  std::vector<at::Tensor> per_encoder;  ///< each [N, chunks, 77] int64
  ChunkJoin join = ChunkJoin::one_text;
};

/// A word of captions that stands for rows of TextRun::extra in place of its tokens' embeddings.
struct TextWord {
  std::string name;
  int64_t first = 0;  ///< the first of its rows
  int64_t vectors = 1;
};

/// What one pass over the encoders is made with.
struct TextRun {
  int64_t clip_skip = 1;  ///< as kohya and WebUI count: 1 is the last layer, 2 the one before; 2 in SD 1 only
  const Adapters* adapters = nullptr;  ///< of all encoders, by full layer name; none: the base alone
  std::vector<at::Tensor> extra{};     ///< per encoder [M, D]: ids from its vocab_size on are these rows; may be empty
};

/// Immutable; copies share the models.
class TextEncoders {
 public:
  /// Errors: another number of encoders than the architecture has; a tokenizer that gives more ids or longer texts than
  /// its model takes; tokenizers of unequal lengths; in SDXL a second encoder without projection.
  static Result<TextEncoders> create(Architecture architecture, std::vector<TextEncoder> encoders);

  /// Captions as literal text. @param max_token_length  75, or 150 or 225 as kohya's: ids are start, as many of the
  /// caption, end and padding, cut into chunks. Words are found as in prompts (prompt_chunks.h). Errors: another
  /// max_token_length.
  Result<TextIds> caption_ids(std::span<const std::string> captions, int64_t max_token_length = 75,
                              std::span<const TextWord> words = {}) const;

  /// How many ids of the caption caption_ids() leaves out, at a max_token_length that it takes.
  std::size_t truncated(std::string_view caption, int64_t max_token_length = 75) const;

  /// What the UNet is told, in float32 on the models' device. SD 1.x and 2.x: the last states, at clip_skip 2 the
  /// penultimate ones through the final norm. SDXL: the penultimate states of both, not normed, side by side, and the
  /// second one's projected vector for the text, of the first chunk. Nothing is recorded for gradients.
  /// Errors: clip_skip that the architecture does not have; ids or extra rows that do not fit the encoders.
  Result<TextConditioning> encode(const TextIds& ids, const TextRun& run = {}) const;

  /// encode() that records: gradients flow to adapters, extra rows, and weights that want them.
  Result<TextConditioning> forward(const TextIds& ids, const TextRun& run = {}) const;

  /// encode() of captions at max_token_length 75.
  Result<TextConditioning> encode_captions(std::span<const std::string> captions) const;

  /// All layers of all encoders that a LoRA can adapt, by full name, sorted.
  std::vector<LoraTarget> adaptable_layers() const;

  Architecture architecture() const noexcept { return architecture_; }
  std::size_t size() const noexcept { return encoders_.size(); }
  const TextEncoder& operator[](std::size_t encoder) const { return encoders_[encoder]; }

 private:
  TextEncoders(Architecture architecture, std::vector<TextEncoder> encoders);
  Result<void> check(const TextIds& ids, const TextRun& run) const;

  Architecture architecture_;
  std::vector<TextEncoder> encoders_;
};

}  // namespace atelier::diffusion
