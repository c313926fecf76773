// Tokenizer, text encoder and VAE against transformers 5.23.0 and diffusers 0.42.1.
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/clip_text.h"
#include "diffusion/tokenizer.h"
#include "diffusion/vae.h"
#include "golden_unet.h"
#include "goldens.h"

namespace atelier::diffusion {
namespace {

using test::near;
using test::read_all;

const std::filesystem::path kClip = std::filesystem::path(ATELIER_SOURCE_DIR) / "models/clip-tokenizer";

TEST(PeersTokenizer, GivesTheIdsOfTransformersForEveryHardString) {
  ATELIER_REQUIRE_PEERS(peers);
  const auto tokenizer = ClipTokenizer::open(kClip);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto json = nlohmann::json::parse(std::ifstream(peers / "tokens.json"));
  ASSERT_EQ(json["rows"].size(), 222u);
  for (const auto& row : json["rows"]) {
    const auto text = row["text"].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text), row["ids"].get<std::vector<int64_t>>()) << "'" << text << "'";
    if (row.contains("padded77")) {
      EXPECT_EQ(tokenizer->encode_padded(text), row["padded77"].get<std::vector<int64_t>>()) << "'" << text << "'";
    }
  }
}

/// sd1: quick_gelu, weights under text_model.; sd2: gelu, without the prefix, padded with id 0.
class TextGolden : public GoldenTest {};
ATELIER_GOLDEN_SUITE(TextGolden);

TEST_P(TextGolden, EncodesPromptsAsTransformersDoes) {
  const GoldenFolder& g = *golden;
  const auto model = g.path / "model";
  const auto tokenizer = must(ClipTokenizer::open(model / "tokenizer"));
  const auto ids = tokenizer.encode_batch(g.facts["prompts"].get<std::vector<std::string>>());
  EXPECT_TRUE(ids.equal(g["text0.ids"]));

  WeightReader weights(read_all(model / "text_encoder/model.safetensors"), "text_encoder");
  const auto config = must(parse_text_config(read_json(model / "text_encoder/config.json"), "config.json"));
  const auto text = must(ClipTextModel::create(config, weights));
  EXPECT_THAT(weights.unknown(), testing::IsEmpty());
  const auto states = must(text->encode(ids));
  EXPECT_TRUE(near(states.last, g["text0.last"], 1e-5));
  EXPECT_TRUE(near(states.penultimate, g["text0.penultimate"], 1e-5));
  EXPECT_TRUE(near(states.pooled, g["text0.pooled"], 1e-5));
  EXPECT_TRUE(near(text->final_norm(states.penultimate), g["text0.clip_skip_2"], 1e-5));
}

class VaeGolden : public GoldenTest {
 protected:
  WeightMap weights() const { return read_all(golden->path / "model/vae/diffusion_pytorch_model.safetensors"); }
  std::shared_ptr<const Vae> build(WeightMap from) const {
    WeightReader reader(std::move(from), "vae");
    auto vae = must(Vae::create(must(parse_vae_config(read_json(golden->path / "model/vae/config.json"), "")), reader));
    EXPECT_THAT(reader.unknown(), testing::IsEmpty());
    return vae;
  }
};
ATELIER_GOLDEN_SUITE(VaeGolden);

TEST_P(VaeGolden, EncodesAndDecodesAsDiffusersDoes) {
  const GoldenFolder& g = *golden;
  const auto vae = build(weights());
  const auto posterior = must(vae->encode(g["vae.image"]));
  EXPECT_TRUE(near(posterior.mean, g["vae.mean"], 1e-5));
  EXPECT_TRUE(near(posterior.logvar, g["vae.logvar"], 1e-5));
  EXPECT_TRUE(near(must(vae->decode(g["vae.latent"])), g["vae.decoded"], 1e-4));
}

TEST_P(VaeGolden, ReadsTheOldNamesOfTheAttention) {
  WeightMap old;
  for (const auto& [name, tensor] : weights()) {
    std::string renamed = name;
    for (const auto& [now, before] : {std::pair{".to_q.", ".query."}, std::pair{".to_k.", ".key."},
                                      std::pair{".to_v.", ".value."}, std::pair{".to_out.0.", ".proj_attn."}}) {
      if (const auto at = renamed.find(now); at != std::string::npos) renamed.replace(at, std::strlen(now), before);
    }
    const bool projection = renamed != name && name.ends_with("weight");
    old[renamed] = projection ? tensor.unsqueeze(-1).unsqueeze(-1) : tensor;
  }
  EXPECT_TRUE(near(must(build(old)->encode((*golden)["vae.image"])).mean, (*golden)["vae.mean"], 1e-5));
}

}  // namespace
}  // namespace atelier::diffusion
