// Text encoders: against transformers 5.23.0 where there are values, and by their laws: chunks, clip skip, extra rows,
// adapters, gradients.
#include "diffusion/text_encoders.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "diffusion/lora_format.h"
#include "golden_unet.h"
#include "goldens.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

using test::near;

constexpr double kTolerance = 1e-5;  // absolute, as in goldens.json

class TextEncodersGolden : public GoldenTest {
 protected:
  std::vector<std::string> prompts() const { return golden->facts["prompts"].get<std::vector<std::string>>(); }
  std::string name(std::size_t encoder, const char* value) const { return fmt::format("text{}.{}", encoder, value); }
};
ATELIER_ARCHITECTURES_SUITE(TextEncodersGolden);

TEST_P(TextEncodersGolden, GiveEveryStateThatTransformersGives) {
  const GoldenFolder& g = *golden;
  for (std::size_t i = 0; i < (g.sdxl() ? 2 : 1); ++i) {
    const auto model = g.text_model(i);
    const auto states = must(model->encode(g[name(i, "ids")]));
    EXPECT_TRUE(near(states.last, g[name(i, "last")], kTolerance));
    EXPECT_TRUE(near(states.penultimate, g[name(i, "penultimate")], kTolerance));
    if (i == 0) {
      EXPECT_TRUE(near(states.pooled, g["text0.pooled"], kTolerance));
      EXPECT_TRUE(near(model->final_norm(states.penultimate), g["text0.clip_skip_2"], kTolerance));
      EXPECT_FALSE(states.embeds.defined());
    } else {
      EXPECT_TRUE(near(states.embeds, g["text1.embeds"], kTolerance));
    }
  }
}

TEST_P(TextEncodersGolden, TellTheUNetWhatDiffusersTellsIt) {
  const GoldenFolder& g = *golden;
  const auto encoders = g.text_encoders();
  const auto ids = must(encoders.caption_ids(prompts()));
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    EXPECT_TRUE(ids.per_encoder[i].squeeze(1).equal(g[name(i, "ids")]));
  }
  const auto told = must(encoders.encode(ids));
  EXPECT_TRUE(near(told.context, g["unet.context"], kTolerance));
  EXPECT_EQ(told.pooled.defined(), g.sdxl());
  if (g.sdxl()) {
    EXPECT_TRUE(near(told.pooled, g["text1.embeds"], kTolerance));
  }
}

TEST_P(TextEncodersGolden, SkipTheLastLayerInSd1Alone) {
  const GoldenFolder& g = *golden;
  const auto encoders = g.text_encoders();
  const auto skipped = encoders.encode(must(encoders.caption_ids(prompts())), {.clip_skip = 2});
  switch (g.architecture()) {
    case Architecture::sd1:
      EXPECT_TRUE(near(must(skipped).context, g["text0.clip_skip_2"], kTolerance));
      break;
    case Architecture::sd2:
      EXPECT_EQ(skipped.error().message,
                "clip_skip is 2, which only SD 1.x bases have; SD 2.x uses the states it was trained with");
      break;
    case Architecture::sdxl:
      EXPECT_EQ(skipped.error().message,
                "clip_skip is 2, which only SD 1.x bases have; SDXL uses the penultimate states already");
      break;
  }
}

TEST_P(TextEncodersGolden, ApplyALoraOfEveryLayer) {
  const GoldenFolder& g = *golden;
  Adapters::LayerMap layers;
  const auto lora = must(read_lora(g.path / "lora_full_kohya.safetensors"));
  const auto encoders = g.text_encoders();
  for (const LoraTarget& target : encoders.adaptable_layers()) {
    const auto found = lora.layers.find(target.name);
    ASSERT_NE(found, lora.layers.end()) << target.name;
    layers[target.name] = {.a = found->second.a.to(at::kFloat).unsqueeze(0),
                           .b = found->second.b.to(at::kFloat).unsqueeze(0),
                           .scale = at::full({1}, found->second.scale(), at::kFloat)};
  }
  const Adapters adapters(layers);
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    const auto states = must(encoders[i].model->encode(g[name(i, "ids")], {.adapters = &adapters}));
    EXPECT_TRUE(near(states.last, g["lora_full." + name(i, "last")], kTolerance));
  }
}

TEST_P(TextEncodersGolden, JoinTheChunksOfALongCaptionAsKohyasTrainerDoes) {
  const auto encoders = golden->text_encoders();
  std::string caption;
  for (int i = 0; i < 100; ++i) caption += "a cat ";  // more than one chunk, fewer than three
  const std::vector<std::string> captions{caption, "a cat"};
  for (const auto& [length, chunks] : {std::pair{75, 1}, {150, 2}, {225, 3}}) {
    const auto ids = must(encoders.caption_ids(captions, length));
    const auto told = must(encoders.encode(ids));
    EXPECT_EQ(told.context.size(1), length + 2);
    const at::Tensor apart = must(encoders.encode({ids.per_encoder, ChunkJoin::side_by_side})).context;  // [2, 77 n, D]
    EXPECT_EQ(apart.size(1), 77 * chunks);
    EXPECT_TRUE(told.context.narrow(1, 0, 1).equal(apart.narrow(1, 0, 1)));
    for (int64_t i = 0; i < chunks; ++i) {
      EXPECT_TRUE(told.context.narrow(1, 1 + 75 * i, 75).equal(apart.narrow(1, 1 + 77 * i, 75)));
    }
    EXPECT_TRUE(told.context.narrow(1, length + 1, 1).equal(apart.narrow(1, 77 * chunks - 1, 1)));
    if (golden->sdxl()) {
      const auto first = must(encoders.encode(must(encoders.caption_ids(captions, 75))));
      EXPECT_TRUE(near(told.pooled, first.pooled, 1e-6)) << "the vector for the text is the first chunk's";
    }
  }
}

TEST_P(TextEncodersGolden, CutALongCaptionIntoChunksWithStartEndAndPadding) {
  const auto encoders = golden->text_encoders();
  const ClipTokenizer& tokenizer = *encoders[0].tokenizer;
  const int64_t start = tokenizer.start_id(), end = tokenizer.end_id(), padding = tokenizer.padding_id();
  const std::string word = "a";
  const int64_t id = tokenizer.encode(word).at(0);
  const auto chunks_of = [&](int words, int64_t length) {
    std::string caption;
    for (int i = 0; i < words; ++i) caption += word + " ";
    const std::vector<std::string> captions{caption};
    return must(encoders.caption_ids(captions, length)).per_encoder[0][0];  // [chunks, 77]
  };
  // 75 words fill the first chunk: the second holds none, so it begins with the end token.
  const auto full = chunks_of(75, 150);
  EXPECT_EQ(full[0][0].item<int64_t>(), start);
  EXPECT_TRUE(full[0].narrow(0, 1, 75).eq(id).all().item<bool>());
  EXPECT_EQ(full[0][76].item<int64_t>(), end);
  EXPECT_EQ(full[1][0].item<int64_t>(), start);
  EXPECT_EQ(full[1][1].item<int64_t>(), end);
  EXPECT_TRUE(full[1].narrow(0, 2, 75).eq(padding).all().item<bool>());
  // 3 words: the first chunk ends with padding, as one alone would; the second is start, end, padding.
  const auto few = chunks_of(3, 150);
  EXPECT_TRUE(few[0].equal(chunks_of(3, 75)[0]));
  EXPECT_EQ(few[1][1].item<int64_t>(), end);
  EXPECT_EQ(few[1][76].item<int64_t>(), padding);
  // 200 words: what is over 150 is cut, and the last chunk closed.
  const auto many = chunks_of(200, 150);
  EXPECT_TRUE(many.narrow(1, 1, 75).eq(id).all().item<bool>());
  EXPECT_TRUE(many.select(1, 76).eq(end).all().item<bool>());
  std::string long_caption;
  for (int i = 0; i < 200; ++i) long_caption += word + " ";
  EXPECT_EQ(encoders.truncated(long_caption, 75), 125u);
  EXPECT_EQ(encoders.truncated(long_caption, 150), 50u);
  EXPECT_EQ(encoders.truncated(long_caption, 225), 0u);
}

TEST_P(TextEncodersGolden, TakeTheRowsOfANewWordWithoutLosingTheEndOfTheText) {
  const GoldenFolder& g = *golden;
  for (std::size_t i = 0; i < (g.sdxl() ? 2 : 1); ++i) {
    const auto model = g.text_model(i);
    const auto root = g.text_weights(i).contains("text_model.final_layer_norm.weight") ? "text_model." : "";
    const auto table = g.text_weights(i).at(fmt::format("{}embeddings.token_embedding.weight", root)).to(at::kFloat);
    const at::Tensor ids = g[name(i, "ids")];
    // The rows of ids 5 and 7 stand behind the table once more; a text that uses those is the same text.
    const at::Tensor extra = at::stack({table[5], table[7]});
    at::Tensor with_known = ids.clone(), with_extra = ids.clone();
    with_known.select(1, 1).fill_(5), with_known.select(1, 2).fill_(7);
    with_extra.select(1, 1).fill_(model->config().vocab_size),
        with_extra.select(1, 2).fill_(model->config().vocab_size + 1);
    // Without ids of its own after the new word, the second text keeps an end token behind it.
    const int64_t end = golden->text_encoders()[i].tokenizer->end_id();
    with_known.select(1, 3).fill_(end), with_extra.select(1, 3).fill_(end);
    const auto known = must(model->encode(with_known)), added = must(model->encode(with_extra, {.extra = extra}));
    EXPECT_TRUE(added.last.equal(known.last));
    EXPECT_TRUE(added.pooled.equal(known.pooled));
    EXPECT_TRUE(added.pooled.equal(added.last.select(1, 3)));
  }
}

TEST_P(TextEncodersGolden, RecordGradientsForAdaptersAndExtraRowsInForwardAlone) {
  const GoldenFolder& g = *golden;
  const auto encoders = g.text_encoders();
  Adapters::LayerMap layers;
  for (const LoraTarget& target : encoders.adaptable_layers()) {
    layers[target.name] = {.a = at::randn({1, 2, target.weight_shape[1]}).requires_grad_(true),
                           .b = (at::randn({1, target.weight_shape[0], 2}) * 0.1).requires_grad_(true),
                           .scale = at::ones({1})};
  }
  const Adapters adapters(layers);
  TextIds ids = must(encoders.caption_ids(prompts()));
  TextRun run{.adapters = &adapters};
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    const auto& config = encoders[i].model->config();
    run.extra.push_back(at::randn({1, config.hidden_size}).requires_grad_(true));
    ids.per_encoder[i].select(2, 1).fill_(config.vocab_size);
  }
  EXPECT_FALSE(must(encoders.encode(ids, run)).context.requires_grad());
  const auto told = must(encoders.forward(ids, run));
  at::Tensor loss = told.context.square().sum();
  if (told.pooled.defined()) loss = loss + told.pooled.square().sum();
  loss.backward();
  for (const at::Tensor& extra : run.extra) EXPECT_GT(extra.grad().abs().sum().item<double>(), 0);
  const int64_t last = encoders[0].model->config().layers - 1;
  for (const auto& [layer, factors] : layers) {
    // SDXL's first encoder is not asked for its last states.
    const bool unused = g.sdxl() && layer.starts_with(fmt::format("text_encoder.text_model.encoder.layers.{}.", last));
    ASSERT_EQ(factors.a.grad().defined(), !unused) << layer;
    if (!unused) {
      EXPECT_GT(factors.b.grad().abs().sum().item<double>(), 0) << layer;
    }
  }
}

TEST_P(TextEncodersGolden, GiveTheChunksOfEachTextTheAdaptersOfItsTenant) {
  const auto encoders = golden->text_encoders();
  const auto with_tenants = [&](std::vector<double> scales, std::vector<int64_t> rows) {
    Adapters::LayerMap layers;
    RandomLoras random(3);
    for (const LoraTarget& target : encoders.adaptable_layers()) {
      const auto tenants = static_cast<int64_t>(scales.size());
      const at::Tensor a = random.normal({1, 2, target.weight_shape[1]}),
                       b = random.normal({1, target.weight_shape[0], 2});
      layers[target.name] = {.a = a.expand({tenants, -1, -1}),
                             .b = b.expand({tenants, -1, -1}),
                             .scale = at::tensor(scales).to(at::kFloat)};
    }
    return Adapters(layers, std::move(rows));
  };
  const std::vector<std::string> captions{"a cat", "a dog"}, dog{"a dog"};
  const auto both = with_tenants({0.01, 0.1}, {0, 1}), second = with_tenants({0.1}, {});
  const auto told = must(encoders.encode(must(encoders.caption_ids(captions, 150)), {.adapters = &both}));
  const auto alone = must(encoders.encode(must(encoders.caption_ids(dog, 150)), {.adapters = &second}));
  EXPECT_TRUE(near(told.context.narrow(0, 1, 1), alone.context, 1e-4));
}

TEST_P(TextEncodersGolden, AreCloseInBfloat16AndTellFloat32) {
  const GoldenFolder& g = *golden;
  const auto model = g.text_model(0, {at::kCPU, at::kBFloat16});
  const auto states = must(model->encode(g["text0.ids"]));
  EXPECT_EQ(states.last.scalar_type(), at::kBFloat16);
  const at::Tensor wanted = g["text0.last"];
  EXPECT_TRUE(near(states.last, wanted, 0.05 * wanted.abs().max().item<double>()));
  EXPECT_FALSE(near(states.last, wanted, 1e-4));
}

/// What the golden folders cannot show.
std::shared_ptr<const ClipTextModel> blank_model(int64_t vocabulary, int64_t positions) {
  WeightReader blank = WeightReader::blank();
  return must(ClipTextModel::create({.vocab_size = vocabulary,
                                     .hidden_size = 4,
                                     .intermediate_size = 8,
                                     .layers = 1,
                                     .heads = 2,
                                     .max_positions = positions},
                                    blank));
}

TEST(TextEncoders, AreRefusedWhereTheyDoNotMakeTheArchitecture) {
  const auto tokenizer = std::make_shared<const ClipTokenizer>(
      must(ClipTokenizer::open(std::filesystem::path(ATELIER_SOURCE_DIR) / "models/clip-tokenizer")));
  const TextEncoder good{tokenizer, blank_model(49408, 77)};
  const auto error = [](Architecture architecture, std::vector<TextEncoder> encoders) {
    return TextEncoders::create(architecture, std::move(encoders)).error().message;
  };
  EXPECT_EQ(error(Architecture::sd1, {good, good}), "the base has 2 text encoders, its architecture has 1");
  EXPECT_EQ(error(Architecture::sdxl, {good}), "the base has 1 text encoder, its architecture has 2");
  EXPECT_EQ(error(Architecture::sdxl, {good, good}),
            "text encoder 2 has no projection (CLIPTextModelWithProjection), which SDXL needs");
  EXPECT_EQ(error(Architecture::sd1, {{tokenizer, blank_model(100, 77)}}),
            "text encoder 1: its tokenizer has 49408 entries and length 77, it takes 100 and 77");
  EXPECT_EQ(error(Architecture::sd2, {{tokenizer, blank_model(49408, 50)}}),
            "text encoder 1: its tokenizer has 49408 entries and length 77, it takes 49408 and 50");
}

TEST(TextEncoders, SayWhatTheyCannotTake) {
  const auto tokenizer = std::make_shared<const ClipTokenizer>(
      must(ClipTokenizer::open(std::filesystem::path(ATELIER_SOURCE_DIR) / "models/clip-tokenizer")));
  const auto encoders = must(TextEncoders::create(Architecture::sd1, {{tokenizer, blank_model(49408, 77)}}));
  const std::vector<std::string> captions{"a"};
  EXPECT_EQ(encoders.caption_ids(captions, 100).error().message, "max_token_length is 100, expected 75, 150 or 225");
  EXPECT_EQ(encoders.caption_ids(captions, 300).error().message, "max_token_length is 300, expected 75, 150 or 225");
  const auto ids = must(encoders.caption_ids(captions));
  EXPECT_EQ(encoders.encode(ids, {.clip_skip = 3}).error().message, "clip_skip is 3, expected 1 or 2");
  EXPECT_EQ(encoders.encode({{ids.per_encoder[0], ids.per_encoder[0]}}).error().message,
            "ids for 2 text encoders and extra embeddings for 0 were given, the base has 1");
  EXPECT_EQ(encoders.encode({{ids.per_encoder[0][0]}}).error().message,
            "text ids are [1, 77], expected [N, chunks, T], N and chunks the same for each encoder");
  EXPECT_EQ(encoders.encode(ids, {.extra = {at::zeros({1, 3})}}).error().message,
            "extra token embeddings are [1, 3], expected [M, 4]");
  EXPECT_EQ(encoders.encode({{at::full({1, 1, 77}, 49408, at::kLong)}}).error().message,
            "text ids reach from 49408 to 49408, expected 0 to 49407");
  EXPECT_EQ(must(encoders.caption_ids({})).per_encoder[0].size(0), 0);
}

}  // namespace
}  // namespace atelier::diffusion
