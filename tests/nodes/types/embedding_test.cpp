#include "types/embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atelier {
namespace {

Tensor filled(std::int64_t rows, std::int64_t width, float value) {
  return Tensor::of({rows, width}, std::vector<float>(static_cast<std::size_t>(rows * width), value));
}

WordVectors some_word() {
  return {"<sks>", {filled(2, 8, 0.5f), filled(2, 12, 0.25f)}, sha256("base"), {{"steps", 60}}};
}

std::string error_of(const Artifact& artifact) {
  const auto read = WordVectors::from(artifact);
  if (read) return "";
  EXPECT_EQ(read.error().kind, ErrorKind::fault);
  return read.error().message;
}

TEST(Embedding, IsItselfAsAnArtifact) {
  const auto read = WordVectors::from(some_word().to_artifact());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->word, "<sks>");
  EXPECT_EQ(read->base, sha256("base"));
  EXPECT_EQ(read->facts, (nlohmann::json{{"steps", 60}}));
  ASSERT_EQ(read->vectors.size(), 2u);
  EXPECT_THAT(read->vectors[1].shape(), testing::ElementsAre(2, 12));
  EXPECT_EQ(read->vectors[1].values<float>()[0], 0.25f);
  EXPECT_EQ(digest_of(read->to_artifact()), digest_of(some_word().to_artifact()));
}

TEST(Embedding, HasADigestOfItsWordAndItsVectors) {
  auto other_word = some_word(), other_vectors = some_word();
  other_word.word = "<abc>";
  other_vectors.vectors[0] = filled(2, 8, 0.75f);
  EXPECT_NE(digest_of(other_word.to_artifact()), digest_of(some_word().to_artifact()));
  EXPECT_NE(digest_of(other_vectors.to_artifact()), digest_of(some_word().to_artifact()));
}

TEST(Embedding, ThatIsNotWellFormedIsTold) {
  auto artifact = some_word().to_artifact();
  artifact.metadata["type"] = "lora";
  EXPECT_EQ(error_of(artifact), "embedding: the artifact is of the type 'lora'");
  artifact = some_word().to_artifact();
  artifact.metadata["word"] = "";
  EXPECT_EQ(error_of(artifact), "embedding: its word is empty");
  artifact = some_word().to_artifact();
  artifact.tensors.erase("vectors.1");
  EXPECT_EQ(error_of(artifact), "embedding: 1 tensors for 2 text encoders");
  artifact.tensors["vectors.1"] = filled(3, 12, 1);
  EXPECT_EQ(error_of(artifact), "embedding: the text encoders have unequal numbers of vectors");
  artifact.tensors["vectors.1"] = filled(0, 12, 1);
  EXPECT_EQ(error_of(artifact), "embedding: 'vectors.1' is empty");
  EXPECT_EQ(error_of({}), "embedding: 'type' is missing");
}

}  // namespace
}  // namespace atelier
