// Tokenizer, text encoder and VAE against transformers 5.23.0 and diffusers 0.42.1.
#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/clip_text.h"
#include "diffusion/json_reader.h"
#include "diffusion/tokenizer.h"
#include "diffusion/vae.h"
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

/// SD 1.x (quick_gelu, weights under text_model.) and SD 2.x (gelu, without the prefix, padded with id 0).
class PeersText : public testing::TestWithParam<const char*> {};

TEST_P(PeersText, EncodesPromptsAsTransformersDoes) {
  ATELIER_REQUIRE_PEERS(peers);
  const auto model = peers / GetParam() / "model";
  const auto facts = nlohmann::json::parse(std::ifstream(peers / GetParam() / "goldens.json"));
  const auto goldens = read_all(peers / GetParam() / "goldens.safetensors");
  const auto tokenizer = ClipTokenizer::open(model / "tokenizer");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto ids = tokenizer->encode_batch(facts["prompts"].get<std::vector<std::string>>());
  EXPECT_TRUE(ids.equal(goldens.at("text0.ids")));

  const auto config = parse_text_config(*read_json_object(model / "text_encoder/config.json"), "config.json");
  ASSERT_TRUE(config) << config.error().message;
  const auto text = ClipTextModel::create(*config, read_all(model / "text_encoder/model.safetensors"), "text_encoder");
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_THAT((*text)->unknown_weights(), testing::IsEmpty());
  const auto states = (*text)->encode(ids);
  ASSERT_TRUE(states) << states.error().message;
  EXPECT_TRUE(near(states->last, goldens.at("text0.last"), 1e-5));
  EXPECT_TRUE(near(states->penultimate, goldens.at("text0.penultimate"), 1e-5));
  EXPECT_TRUE(near(states->pooled, goldens.at("text0.pooled"), 1e-5));
  EXPECT_TRUE(near((*text)->final_norm(states->penultimate), goldens.at("text0.clip_skip_2"), 1e-5));
}

INSTANTIATE_TEST_SUITE_P(PeersText, PeersText, testing::Values("sd1", "sd2", "sdxl"));

TEST(PeersVae, EncodesAndDecodesAsDiffusersDoes) {
  ATELIER_REQUIRE_PEERS(peers);
  const auto model = peers / "sd1/model/vae";
  const auto goldens = read_all(peers / "sd1/goldens.safetensors");
  const auto config = parse_vae_config(*read_json_object(model / "config.json"), "config.json");
  ASSERT_TRUE(config) << config.error().message;
  const auto vae = Vae::create(*config, read_all(model / "diffusion_pytorch_model.safetensors"), "vae");
  ASSERT_TRUE(vae) << vae.error().message;
  EXPECT_THAT((*vae)->unknown_weights(), testing::IsEmpty());
  const auto posterior = (*vae)->encode(goldens.at("vae.image"));
  ASSERT_TRUE(posterior) << posterior.error().message;
  EXPECT_TRUE(near(posterior->mean, goldens.at("vae.mean"), 1e-5));
  EXPECT_TRUE(near(posterior->logvar, goldens.at("vae.logvar"), 1e-5));
  const auto decoded = (*vae)->decode(goldens.at("vae.latent"));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(near(*decoded, goldens.at("vae.decoded"), 1e-4));
}

TEST(PeersVae, ReadsTheOldNamesOfTheAttention) {
  ATELIER_REQUIRE_PEERS(peers);
  const auto model = peers / "sd1/model/vae";
  const auto goldens = read_all(peers / "sd1/goldens.safetensors");
  WeightMap old;
  for (const auto& [name, tensor] : read_all(model / "diffusion_pytorch_model.safetensors")) {
    std::string renamed = name;
    for (const auto& [now, before] : {std::pair{".to_q.", ".query."}, std::pair{".to_k.", ".key."},
                                      std::pair{".to_v.", ".value."}, std::pair{".to_out.0.", ".proj_attn."}}) {
      if (const auto at = renamed.find(now); at != std::string::npos) renamed.replace(at, std::strlen(now), before);
    }
    const bool projection = renamed != name && name.ends_with("weight");
    old[renamed] = projection ? tensor.unsqueeze(-1).unsqueeze(-1) : tensor;
  }
  const auto config = parse_vae_config(*read_json_object(model / "config.json"), "config.json");
  const auto vae = Vae::create(*config, old, "vae");
  ASSERT_TRUE(vae) << vae.error().message;
  EXPECT_THAT((*vae)->unknown_weights(), testing::IsEmpty());
  EXPECT_TRUE(near((*vae)->encode(goldens.at("vae.image"))->mean, goldens.at("vae.mean"), 1e-5));
}

}  // namespace
}  // namespace atelier::diffusion
