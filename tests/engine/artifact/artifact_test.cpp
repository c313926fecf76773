#include "artifact/artifact.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace atelier {
namespace {

Artifact sample() {
  Artifact artifact;
  artifact.metadata = {{"trigger", "sks"}, {"rank", 8}};
  artifact.tensors["loss"] = Tensor::of<float>({2}, std::vector<float>{1, 2});
  artifact.files.push_back({"a.jpg", sha256("photo"), "/photos/a.jpg", 5});
  return artifact;
}

TEST(ArtifactTest, KeepsItsGoldenDigest) {  // tests/engine/base/golden.py
  EXPECT_EQ(digest_of(sample()).hex(), "9931283f2be6873e1194afcf49a069e35a93458d67b91aced274d1422f75b987");
}

TEST(ArtifactTest, ItsDigestDependsOnAllThatItIs) {
  const Digest digest = digest_of(sample());
  Artifact other = sample();
  other.metadata["rank"] = 9;
  EXPECT_NE(digest_of(other), digest);
  other = sample();
  other.tensors["loss"] = Tensor::of<float>({2}, std::vector<float>{1, 3});
  EXPECT_NE(digest_of(other), digest);
  other.tensors["loss"] = Tensor::of<float>({1, 2}, std::vector<float>{1, 2});
  EXPECT_NE(digest_of(other), digest);
  other.tensors["loss"] = Tensor::copy_of(DType::i32, {2}, sample().tensors.at("loss").bytes());
  EXPECT_NE(digest_of(other), digest);
  other = sample();
  other.tensors["gain"] = other.tensors.extract("loss").mapped();
  EXPECT_NE(digest_of(other), digest);
  other = sample();
  other.files[0].name = "b.jpg";
  EXPECT_NE(digest_of(other), digest);
  other = sample();
  other.files[0].digest = sha256("another photo");
  EXPECT_NE(digest_of(other), digest);
}

TEST(ArtifactTest, ItsDigestDoesNotDependOnWhereItsFilesLie) {
  Artifact moved = sample();
  moved.files[0].path = "/elsewhere/a.jpg";
  EXPECT_EQ(digest_of(moved), digest_of(sample()));
}

TEST(ArtifactTest, ItsDigestDoesNotDependOnTheOrderOfItsMetadata) {
  Artifact other = sample();
  other.metadata = nlohmann::json::parse(R"({"rank": 8, "trigger": "sks"})");
  EXPECT_EQ(digest_of(other), digest_of(sample()));
}

TEST(ArtifactTest, ItsSizeIsThatOfItsTensors) {
  EXPECT_EQ(sample().size_bytes(), 8u);
  EXPECT_EQ(Artifact{}.size_bytes(), 0u);
}

}  // namespace
}  // namespace atelier
