// Small text encoders of random weights with the tiny tokenizer, for tests that ask for laws and not for numbers.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <filesystem>
#include <string>

#include "diffusion/text_encoders.h"
#include "golden_unet.h"

namespace atelier::diffusion::test {

inline const std::filesystem::path kTinyTokenizer =
    std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny/model/tokenizer";

struct RandomText {
  TextEncoder encoder;
  at::Tensor tokens;  ///< [600, D]: its table of token embeddings
};

inline RandomText random_text_encoder(int64_t width, uint64_t seed, int64_t padding, bool projection) {
  TextConfig config{.vocab_size = 600,
                    .hidden_size = width,
                    .intermediate_size = 2 * width,
                    .layers = 3,
                    .heads = 2,
                    .eos_id = 599,
                    .with_projection = projection,
                    .projection_dim = width};
  WeightReader blank = WeightReader::blank();
  must(ClipTextModel::create(config, blank));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  WeightMap weights;
  for (const auto& [name, shape] : blank.asked()) weights[name] = 0.3 * at::randn(shape, generator, at::kFloat);
  at::Tensor tokens;
  for (const auto& [name, tensor] : weights) {
    if (name.ends_with("token_embedding.weight")) tokens = tensor;
  }
  WeightReader reader(weights, "random");
  auto model = must(ClipTextModel::create(config, reader));
  auto tokenizer = std::make_shared<const ClipTokenizer>(must(ClipTokenizer::open(kTinyTokenizer, padding)));
  return {{tokenizer, model}, tokens};
}

inline RandomText random_clip_l() { return random_text_encoder(8, 1, 599, false); }
inline RandomText random_open_clip() { return random_text_encoder(12, 2, 0, true); }

inline TextEncoders random_sd1() { return must(TextEncoders::create(Architecture::sd1, {random_clip_l().encoder})); }
inline TextEncoders random_sdxl() {
  return must(TextEncoders::create(Architecture::sdxl, {random_clip_l().encoder, random_open_clip().encoder}));
}

}  // namespace atelier::diffusion::test
