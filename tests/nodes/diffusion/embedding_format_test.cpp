#include "diffusion/embedding_format.h"

#include <cmath>

#include "goldens.h"
#include "lora_models.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

using test::TemporaryFolder;

class EmbeddingFiles : public testing::Test {
 protected:
  /// What reading a file of these tensors says, without the path before it; empty where it can be read.
  std::string error_of(const WeightMap& tensors) {
    const auto path = folder / "word.safetensors";
    must(write_safetensors(path, tensors, {}));
    const auto read = read_embedding(path);
    if (read) return "";
    EXPECT_TRUE(read.error().message.starts_with(path.string() + ": ")) << read.error().message;
    return read.error().message.substr(path.string().size() + 2);
  }
  Embedding read(const WeightMap& tensors) {
    must(write_safetensors(folder / "my-style.safetensors", tensors, {}));
    return must(read_embedding(folder / "my-style.safetensors"));
  }
  TemporaryFolder folder;
};

TEST_F(EmbeddingFiles, OfOneEncoderAreReadBackAsTheyWereWritten) {
  const Embedding embedding{"my-style", {at::randn({3, 8})}};
  const EmbeddingFile file = to_kohya(embedding, {.title = "my style", .base = {Architecture::sd2}});
  EXPECT_EQ(file.metadata, (Metadata{{"format", "pt"},
                                     {"modelspec.architecture", "stable-diffusion-v2-512/textual-inversion"},
                                     {"modelspec.implementation", "https://github.com/Stability-AI/generative-models"},
                                     {"modelspec.prediction_type", "epsilon"},
                                     {"modelspec.sai_model_spec", "1.0.0"},
                                     {"modelspec.title", "my style"}}));
  ASSERT_EQ(file.tensors.size(), 1U);
  EXPECT_TRUE(file.tensors.contains("emb_params"));
  const Embedding again = read(file.tensors);
  EXPECT_EQ(again.name, "my-style");
  ASSERT_EQ(again.vectors.size(), 1U);
  EXPECT_TRUE(again.vectors[0].equal(embedding.vectors[0]));
}

TEST_F(EmbeddingFiles, OfSdxlHoldBothEncodersInTheBasesOrder) {
  const Embedding embedding{"my-style", {at::randn({2, 8}), at::randn({2, 12})}};
  const EmbeddingFile file = to_kohya(embedding, {.base = {Architecture::sdxl}, .date = "2026-11-21"});
  EXPECT_EQ(file.metadata.at("modelspec.date"), "2026-11-21");
  EXPECT_TRUE(file.tensors.at("clip_l").equal(embedding.vectors[0]));
  EXPECT_TRUE(file.tensors.at("clip_g").equal(embedding.vectors[1]));
  const Embedding again = read(file.tensors);
  ASSERT_EQ(again.vectors.size(), 2U);
  EXPECT_TRUE(again.vectors[0].equal(embedding.vectors[0]));
  EXPECT_TRUE(again.vectors[1].equal(embedding.vectors[1]));
  EXPECT_EQ(read({{"text_encoders_0", at::ones({1, 4})}, {"text_encoders_1", at::ones({1, 6})}}).vectors[1].size(1), 6);
}

TEST_F(EmbeddingFiles, OfDiffusersAreNamedByTheirTensorAndMayBeOneRowInHalf) {
  const Embedding embedding = read({{"<sks>", at::arange(5).to(at::kHalf)}});
  EXPECT_EQ(embedding.name, "<sks>");
  EXPECT_EQ(shape_text(embedding.vectors[0].sizes()), "[1, 5]");
  EXPECT_EQ(embedding.vectors[0].scalar_type(), at::kFloat);
}

TEST_F(EmbeddingFiles, ThatHoldSomethingElseAreRefused) {
  const std::string others =
      " tensors, which is no embedding: that has emb_params, or clip_l and clip_g, or one tensor named as its word";
  EXPECT_EQ(error_of({}), "it holds 0" + others);
  EXPECT_EQ(error_of({{"clip_l", at::ones({1, 4})}, {"other", at::ones({1, 4})}}), "it holds 2" + others);
  EXPECT_EQ(error_of({{"emb_params", at::ones({1, 2, 3})}}),
            "tensor 'emb_params' has shape [1, 2, 3], an embedding has [vectors, width]");
  EXPECT_EQ(error_of({{"emb_params", at::ones({0, 3})}}),
            "tensor 'emb_params' has shape [0, 3], an embedding has [vectors, width]");
  EXPECT_EQ(error_of({{"emb_params", at::ones({2, 3}, at::kLong)}}),
            "tensor 'emb_params' holds whole numbers, which is no embedding");
  EXPECT_EQ(error_of({{"clip_l", at::ones({1, 4})}, {"clip_g", at::ones({2, 6})}}),
            "'clip_l' has 1 vectors and 'clip_g' 2; a word has as many in both text encoders");
  EXPECT_EQ(error_of({{"emb_params", at::full({1, 2}, std::nan(""))}}),
            "tensor 'emb_params' holds a NaN: the file is damaged, or its training diverged");
}

TEST_F(EmbeddingFiles, ThatArePicklesAreRefusedWithHowToConvert) {
  for (const char* name : {"old.pt", "learned_embeds.bin"})
    EXPECT_EQ(read_embedding(folder / name).error().message,
              (folder / name).string() +
                  ": a pickle, which runs code of whoever made it when it is opened, so it is refused; convert it with "
                  "a tool you trust, for instance safetensors' convert.py, and give the .safetensors file");
}

/// Our embeddings in diffusers.
class PythonEmbedding : public GoldenTest {};
INSTANTIATE_TEST_SUITE_P(PythonBases, PythonEmbedding, ::testing::Values("sd1_tiny", "sd2_tiny", "sdxl_tiny"),
                         golden_name);

TEST_P(PythonEmbedding, GivesDiffusersOurHiddenStates) {
  ATELIER_REQUIRE_VENV();
  const std::string word = "<my-style>";
  Embedding embedding{word, {}};
  for (std::size_t i = 0; i < encoder_count(*golden); ++i)
    embedding.vectors.push_back(at::randn({2, golden->text_model(i)->config().hidden_size}) * 0.5);
  const TemporaryFolder folder;
  const EmbeddingFile file = to_kohya(embedding, {});
  must(write_safetensors(folder / "my.safetensors", file.tensors, file.metadata));
  ASSERT_TRUE(test::run_python("embedding_in_diffusers.py",
                               {golden->path / "model", folder / "my.safetensors", word, folder / "out.safetensors"}));
  const WeightMap out = test::read_all(folder / "out.safetensors");
  for (std::size_t i = 0; i < encoder_count(*golden); ++i) {
    const auto model = golden->text_model(i);
    const at::Tensor& ids = out.at("ids" + std::to_string(i));
    EXPECT_TRUE(ids.eq(model->config().vocab_size).any().item<bool>())  // the new rows are put behind the others
        << "diffusers did not put the new tokens into the prompt";
    const auto states = must(model->encode(ids, {.extra = embedding.vectors[i]}));
    EXPECT_LT(greatest_difference(states.last, out.at("last" + std::to_string(i))), 1e-5) << "text encoder " << i;
  }
}

}  // namespace
}  // namespace atelier::diffusion
