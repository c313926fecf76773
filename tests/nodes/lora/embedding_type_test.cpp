#include "lora/embedding_type.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "diffusion/safetensors.h"
#include "model/embeddings.h"
#include "support/fake_context.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

WordVectors one_encoder(const std::string& word) {
  return {word, {normal_tensor({2, 8}, word)}, sha256("base"), {{"base_model", "sd_v2"}}};
}

class EmbeddingFileTest : public testing::Test {
 protected:
  diffusion::Metadata written(const WordVectors& embedding, std::vector<std::string> tensors) {
    const auto path = folder.path() / "sks.safetensors";
    const auto ok = type->write(embedding.to_artifact(), path, "anna/sks.safetensors");
    EXPECT_TRUE(ok) << ok.error().message;
    const auto file = diffusion::Safetensors::open(path);
    EXPECT_TRUE(file) << file.error().message;
    std::vector<std::string> names;
    for (const auto& [name, entry] : file->entries()) names.push_back(name);
    EXPECT_EQ(names, tensors);
    return file->metadata();
  }
  std::unique_ptr<Files> files = make_posix_files();
  TemporaryFolder folder;
  std::shared_ptr<const PortType> type = make_embedding_type(*files);
};

TEST_F(EmbeddingFileTest, IsKohyasWithDeterministicMetadataAndNoFolderNames) {
  const auto metadata = written(one_encoder("<sks>"), {"emb_params"});
  EXPECT_EQ(metadata.at("modelspec.title"), "sks");
  EXPECT_EQ(metadata.at("modelspec.architecture"), "stable-diffusion-v2-512/textual-inversion");
  EXPECT_FALSE(metadata.contains("modelspec.date"));
}

TEST_F(EmbeddingFileTest, HasATensorForEachTextEncoder) {
  const WordVectors two{
      "<sks>", {normal_tensor({2, 8}, "l"), normal_tensor({2, 12}, "g")}, {}, nlohmann::json::object()};
  const auto metadata = written(two, {"clip_g", "clip_l"});
  EXPECT_EQ(metadata.at("modelspec.architecture"), "stable-diffusion-xl-v1-base/textual-inversion")
      << "two encoders are SDXL's where the facts do not say";
}

TEST_F(EmbeddingFileTest, IsReadBackAsAnInputUnderItsFilesName) {
  written(one_encoder("<sks>"), {"emb_params"});
  const auto input = type->open_input(folder.path() / "sks.safetensors", digest_of_file);
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(type->validate(*input), "");
  const auto embedding = embedding_of(*input);
  ASSERT_TRUE(embedding) << embedding.error().message;
  EXPECT_EQ(embedding->word, "sks");
  EXPECT_TRUE(as_diffusion(*embedding).vectors.at(0).equal(as_diffusion(one_encoder("<sks>")).vectors.at(0)));
}

TEST_F(EmbeddingFileTest, ThatIsMissingOrAPickleIsTold) {
  EXPECT_EQ(type->open_input("/words/none.safetensors", digest_of_file).error().message,
            "/words/none.safetensors: an embedding was expected here, a .safetensors file");
  EXPECT_THAT(type->open_input("/words/old.pt", digest_of_file).error().message,
              testing::StartsWith("/words/old.pt: "));
}

TEST_F(EmbeddingFileTest, WantsASafetensorsPathAndAWellFormedArtifact) {
  EXPECT_EQ(type->check_output_path("a/sks/"), "an embedding is written as one file: end the path with '.safetensors'");
  EXPECT_EQ(type->check_output_path("a/sks.safetensors"), "");
  EXPECT_EQ(type->validate(one_encoder("<sks>").to_artifact()), "");
  EXPECT_EQ(type->validate({}), "embedding: 'type' is missing");
}

class EmbeddingsPort : public testing::Test {
 protected:
  Expected<std::vector<diffusion::Embedding>> read(std::vector<Artifact> artifacts) {
    Inputs inputs;
    if (!artifacts.empty()) inputs["embeddings"] = std::move(artifacts);
    const Params params;
    return embeddings_of(Job{inputs, params, context}, sha256("base"));
  }
  FakeContext context;
};

TEST_F(EmbeddingsPort, GivesItsEmbeddingsInOrder) {
  const auto embeddings = read({one_encoder("<b>").to_artifact(), one_encoder("<a>").to_artifact()});
  ASSERT_TRUE(embeddings) << embeddings.error().message;
  std::vector<std::string> words;
  for (const auto& embedding : *embeddings) words.push_back(embedding.name);
  EXPECT_THAT(words, ElementsAre("<b>", "<a>"));
  EXPECT_THAT(context.warnings, IsEmpty());
  EXPECT_THAT(*read({}), IsEmpty());
}

TEST_F(EmbeddingsPort, TellsOfAnotherBase) {
  auto foreign = one_encoder("<sks>");
  foreign.base = sha256("other");
  ASSERT_TRUE(read({foreign.to_artifact()}));
  EXPECT_THAT(context.warnings, ElementsAre("the embedding '<sks>' was trained on another base model (" +
                                            sha256("other").brief() + ", not " + sha256("base").brief() + ")"));
}

TEST_F(EmbeddingsPort, RefusesTwoOfOneWord) {
  EXPECT_EQ(read({one_encoder("<sks>").to_artifact(), one_encoder("<sks>").to_artifact()}).error().message,
            "two embeddings stand for the word '<sks>'");
}

}  // namespace
}  // namespace atelier
