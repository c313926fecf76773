#include "diffusion/prompt_encoder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "diffusion/embedding_format.h"
#include "goldens.h"
#include "random_text_encoders.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

using test::near;
using test::random_clip_l;
using test::random_open_clip;
using test::random_sd1;
using test::random_sdxl;

ParsedPrompt parsed(const std::string& prompt) { return must(parse_prompt(prompt)); }

TextConditioning told(const PromptEncoder& encoder, const std::string& prompt, const PromptRun& run = {}) {
  const std::vector<ParsedPrompt> one{parsed(prompt)};
  return must(encoder.encode(one, run));
}

std::string times(std::size_t count, const std::string& word) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += word + " ";
  return text;
}

TEST(PromptEncoder, TellsPlainPromptsAsTheEncodersDoToTheBit) {
  for (const auto& encoders : {random_sd1(), random_sdxl()}) {
    const auto encoder = must(PromptEncoder::create(encoders));
    for (const std::string prompt : {"", "a photo of sks, in the park"}) {
      const auto plain = must(encoders.encode_captions({&prompt, 1})), got = told(encoder, prompt);
      EXPECT_TRUE(got.context.equal(plain.context));
      EXPECT_EQ(got.pooled.defined(), plain.pooled.defined());
      if (plain.pooled.defined()) {
        EXPECT_TRUE(got.pooled.equal(plain.pooled));
      }
      EXPECT_TRUE(told(encoder, prompt + "(:2)").context.equal(plain.context)) << "a weight of no token";
      EXPECT_TRUE(told(encoder, "(" + prompt + ":1)").context.equal(plain.context)) << "the weight 1";
    }
  }
}

TEST(PromptEncoder, MultipliesStatesByWeightsAndRestoresEachEncodersMean) {
  const auto encoders = random_sdxl();
  const auto encoder = must(PromptEncoder::create(encoders));
  const std::string text = "a cat in";
  const auto plain = must(encoders.encode_captions({&text, 1}));
  const auto got = told(encoder, "a (cat:1.5) [in]");
  const auto chunk = must(prompt_chunks(parsed("a (cat:1.5) [in]"), *encoders[0].tokenizer))[0];
  const auto factors = at::tensor(chunk.weights).to(at::kDouble).view({1, 77, 1});
  EXPECT_NE(chunk.weights[2], 1.0f);
  for (const auto& [from, width] : {std::pair{0, 8}, {8, 12}}) {
    const auto states = plain.context.narrow(2, from, width).to(at::kDouble);
    const auto product = states * factors;
    const auto wanted = product * (states.mean() / product.mean());
    EXPECT_TRUE(near(got.context.narrow(2, from, width), wanted, 1e-5));
    EXPECT_NEAR(got.context.narrow(2, from, width).mean().item<double>(), states.mean().item<double>(), 1e-5);
  }
  EXPECT_FALSE(near(got.context, plain.context, 1e-3));
  EXPECT_TRUE(got.pooled.equal(plain.pooled)) << "the vector for the whole text has no weights";
}

TEST(PromptEncoder, WeighsEachChunkByItself) {
  const auto encoder = must(PromptEncoder::create(random_sd1()));
  const auto got = told(encoder, "a cat BREAK in (the:2) park");
  ASSERT_EQ(got.context.size(1), 154);
  EXPECT_TRUE(got.context.narrow(1, 0, 77).equal(told(encoder, "a cat").context));
  EXPECT_TRUE(got.context.narrow(1, 77, 77).equal(told(encoder, "in (the:2) park").context));
}

TEST(PromptEncoder, ReadsLongPromptsInChunks) {
  const auto encoder = must(PromptEncoder::create(random_sdxl()));
  // "the" is one token of the tiny vocabulary.
  const auto long_one = told(encoder, times(80, "the"));
  ASSERT_EQ(shape_text(long_one.context.sizes()), "[1, 154, 20]");
  EXPECT_TRUE(long_one.context.narrow(1, 0, 77).equal(told(encoder, times(75, "the")).context));
  EXPECT_TRUE(long_one.context.narrow(1, 77, 77).equal(told(encoder, times(5, "the")).context));
  EXPECT_TRUE(long_one.pooled.equal(told(encoder, times(75, "the")).pooled)) << "pooled is the first chunk's";
  EXPECT_EQ(must(encoder.chunks(parsed(times(75, "the")))), 1u);
  EXPECT_EQ(must(encoder.chunks(parsed(times(80, "the")))), 2u);
}

TEST(PromptEncoder, PutsEmptyChunksBehindShorterPrompts) {
  const auto encoder = must(PromptEncoder::create(random_sdxl()));
  const std::vector<ParsedPrompt> prompts{parsed("a cat"), parsed("a BREAK in BREAK the")};
  const auto both = must(encoder.encode(prompts));
  ASSERT_EQ(shape_text(both.context.sizes()), "[2, 231, 20]");
  EXPECT_EQ(shape_text(both.pooled.sizes()), "[2, 12]");
  EXPECT_TRUE(both.context[0].narrow(0, 0, 77).equal(told(encoder, "a cat").context[0]));
  EXPECT_TRUE(both.context[0].narrow(0, 77, 77).equal(told(encoder, "").context[0]));
  EXPECT_TRUE(both.context[0].narrow(0, 154, 77).equal(told(encoder, "").context[0]));
  EXPECT_TRUE(both.context[1].equal(told(encoder, "a BREAK in BREAK the").context[0]));
  EXPECT_TRUE(both.pooled[0].equal(told(encoder, "a cat").pooled[0]));
}

/// Two of the encoder's own token embeddings, so that what they stand for is known.
Embedding two_tokens(const std::string& name, const std::string& first, const std::string& second) {
  Embedding embedding{name, {}};
  for (const auto& text : {random_clip_l(), random_open_clip()}) {
    const auto id = [&](const std::string& token) { return text.encoder.tokenizer->encode(token).at(0); };
    embedding.vectors.push_back(at::stack({text.tokens[id(first)], text.tokens[id(second)]}));
  }
  return embedding;
}

TEST(PromptEncoder, PutsAnEmbeddingsVectorsInThePlaceOfItsWord) {
  const auto encoders = random_sdxl();
  const auto encoder =
      must(PromptEncoder::create(encoders, {two_tokens("<one>", "the", "and"), two_tokens("two", "and", "for")}));
  const auto plain = must(PromptEncoder::create(encoders));
  for (const auto& [with, without] : {std::pair{"a <one> a", "a the and a"},
                                      {"two, <one>", "and for, the and"},
                                      {"(<one> a:1.5) two", "(the and a:1.5) and for"}}) {
    const auto got = told(encoder, with), wanted = told(plain, without);
    EXPECT_TRUE(got.context.equal(wanted.context)) << with;
    EXPECT_TRUE(got.pooled.equal(wanted.pooled)) << with;
  }
  EXPECT_FALSE(told(encoder, "a two").context.equal(told(plain, "a two").context));
}

TEST(PromptEncoder, TakesClipSkipAndAdaptersAsTheEncodersDo) {
  const auto encoders = random_sd1();
  const auto encoder = must(PromptEncoder::create(encoders));
  const std::string text = "a cat";
  const auto ids = must(encoders.caption_ids({&text, 1}));
  EXPECT_TRUE(
      told(encoder, text, {.clip_skip = 2}).context.equal(must(encoders.encode(ids, {.clip_skip = 2})).context));
  EXPECT_FALSE(told(encoder, text, {.clip_skip = 2}).context.equal(told(encoder, text).context));
  const std::vector<ParsedPrompt> one{parsed(text)};
  EXPECT_EQ(must(PromptEncoder::create(random_sdxl())).encode(one, {.clip_skip = 2}).error().message,
            "clip_skip is 2, which only SD 1.x bases have; SDXL uses the penultimate states already");
}

TEST(PromptEncoder, TellsSdxlZerosWithoutANegativePromptAndTheEmptyTextForAnEmptyOne) {
  const auto encoder = must(PromptEncoder::create(random_sdxl()));
  const auto none = must(encoder.encode_guided(parsed("a cat BREAK in"), std::nullopt));
  EXPECT_EQ(shape_text(none.negative.context.sizes()), "[1, 154, 20]");
  EXPECT_EQ(none.negative.context.abs().max().item<float>(), 0);
  EXPECT_EQ(none.negative.pooled.abs().max().item<float>(), 0);
  EXPECT_TRUE(none.prompt.context.equal(told(encoder, "a cat BREAK in").context));
  const auto empty = must(encoder.encode_guided(parsed("a cat"), parsed("")));
  EXPECT_TRUE(empty.negative.context.equal(told(encoder, "").context));
  EXPECT_TRUE(empty.negative.pooled.equal(told(encoder, "").pooled));
  const auto unforced = must(encoder.encode_guided(parsed("a cat"), std::nullopt, {.zeros_without_negative = false}));
  EXPECT_TRUE(unforced.negative.context.equal(empty.negative.context));
}

TEST(PromptEncoder, TellsSd1TheEmptyTextWithoutANegativePrompt) {
  const auto encoder = must(PromptEncoder::create(random_sd1()));
  const auto guided = must(encoder.encode_guided(parsed("a cat BREAK in"), std::nullopt));
  EXPECT_TRUE(guided.negative.context.narrow(1, 0, 77).equal(told(encoder, "").context));
  EXPECT_EQ(guided.negative.context.size(1), 154) << "both sides are of one length";
  EXPECT_FALSE(guided.negative.pooled.defined());
}

TEST(PromptEncoder, RefusesEmbeddingsOfOtherBases) {
  const auto error = [](const TextEncoders& encoders, std::vector<Embedding> embeddings) {
    const auto made = PromptEncoder::create(encoders, std::move(embeddings));
    return made ? "" : made.error().message;
  };
  const auto rows = [](int64_t count, int64_t width) { return at::zeros({count, width}); };
  EXPECT_EQ(error(random_sdxl(), {{"<sks>", {rows(2, 8)}}}),
            "the embedding '<sks>' is for 1 text encoder, the base has 2");
  EXPECT_EQ(error(random_sd1(), {{"<sks>", {rows(2, 8), rows(2, 12)}}}),
            "the embedding '<sks>' is for 2 text encoders, the base has 1");
  EXPECT_EQ(error(random_sdxl(), {{"<sks>", {rows(2, 8), rows(2, 8)}}}),
            "the embedding '<sks>' is [2, 8] for text encoder 2, expected [n, 12]; it was made for another base");
  EXPECT_EQ(error(random_sd1(), {{"<sks>", {rows(2, 8)}}, {"<sks>", {rows(1, 8)}}}),
            "two embeddings are called '<sks>'");
  EXPECT_EQ(error(random_sd1(), {{"<sks>", {rows(75, 8)}}}), "");
  const auto big = must(PromptEncoder::create(random_sd1(), {{"<big>", {rows(76, 8)}}}));
  const std::vector<ParsedPrompt> one{parsed("a cat")};
  EXPECT_EQ(big.encode(one).error().message, "the embedding '<big>' has 76 vectors, a chunk of a prompt holds 75");
  EXPECT_EQ(big.encode({}).error().message, "no prompts were given to encode");
}

/// The text encoders of a diffusers folder.
TextEncoders encoders_of(const std::filesystem::path& base, Architecture architecture) {
  std::vector<TextEncoder> parts;
  for (const std::string suffix : {"", "_2"}) {
    const auto folder = base / ("text_encoder" + suffix);
    if (!std::filesystem::exists(folder)) continue;
    WeightReader weights(test::read_all(folder / "model.safetensors"), folder.string());
    const auto config = must(parse_text_config(read_json(folder / "config.json"), "config.json"));
    const auto tokenizer = must(ClipTokenizer::open(base / ("tokenizer" + suffix)));
    parts.push_back({std::make_shared<const ClipTokenizer>(tokenizer), must(ClipTextModel::create(config, weights))});
  }
  return must(TextEncoders::create(architecture, parts));
}

// What diffusers tells the UNet of the goldens' prompts, which are literal there.
TEST(PeersPromptEncoder, TellsLiteralPromptsAsDiffusersDoes) {
  ATELIER_REQUIRE_PEERS(peers);
  for (const auto& [name, architecture] :
       {std::pair{"sd1", Architecture::sd1}, {"sd2", Architecture::sd2}, {"sdxl", Architecture::sdxl}}) {
    const GoldenFolder golden(peers / name);
    const auto encoder = must(PromptEncoder::create(encoders_of(golden.path / "model", architecture)));
    std::vector<ParsedPrompt> prompts;
    for (const auto& prompt : golden.facts["prompts"]) prompts.push_back(literal_prompt(prompt.get<std::string>()));
    const auto got = must(encoder.encode(prompts));
    EXPECT_TRUE(near(got.context, golden["unet.context"], 1e-5)) << name;
    if (architecture == Architecture::sdxl) {
      EXPECT_TRUE(near(got.pooled, golden["text1.embeds"], 1e-5));
    }
  }
}

TEST(PythonPromptEncoder, PutsAnEmbeddingWhereDiffusersPutsIt) {
  ATELIER_REQUIRE_VENV();
  const auto base = std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny/model";
  const auto encoders = encoders_of(base, Architecture::sd1);
  at::manual_seed(1);
  const Embedding embedding{"<my-style>", {at::randn({3, encoders[0].model->config().hidden_size})}};
  const test::TemporaryFolder folder;
  const auto file = to_kohya(embedding, {});
  must(write_safetensors(folder / "my.safetensors", file.tensors, file.metadata));
  ASSERT_TRUE(test::run_python("embedding_in_diffusers.py",
                               {base, folder / "my.safetensors", embedding.name, folder / "out.safetensors"}));
  const auto out = test::read_all(folder / "out.safetensors");
  const auto encoder = must(PromptEncoder::create(encoders, {embedding}));
  EXPECT_TRUE(near(told(encoder, "a photo of <my-style>").context, out.at("last0"), 1e-5));
}

}  // namespace
}  // namespace atelier::diffusion
