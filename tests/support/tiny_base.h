// support: the project's golden base model as a pipeline would be given it, and made-up data of its size.
#pragma once
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/model_type.h"
#include "types/dataset.h"

namespace atelier {

inline constexpr std::int64_t kTinyGrid = 16;  // its latents' side in these tests
inline constexpr std::int64_t kTinyTokens = 77;
inline constexpr std::int64_t kTinyWidth = 16;  // its text encoder's

inline Expected<Digest> digest_of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return sha256(std::string(std::istreambuf_iterator<char>(in), {}));
}

// tests/golden/sd1_tiny: three levels, VAE of downscale 4.
inline Artifact tiny_base() {
  const auto base = make_model_type()->open_input(ATELIER_SOURCE_DIR "/tests/golden/sd1_tiny/model", digest_of_file);
  if (!base) throw Fault(base.error().message);
  return *base;
}

inline Tensor normal_tensor(Tensor::Shape shape, const std::string& what, float deviation = 1) {
  std::int64_t count = 1;
  for (const auto side : shape) count *= side;
  std::vector<float> values(static_cast<std::size_t>(count));
  RandomStream(0, "test data", sha256(what)).fill_normal(values);
  for (float& value : values) value *= deviation;
  return Tensor::of(std::move(shape), std::move(values));
}

inline Tensor constant_tensor(Tensor::Shape shape, float value) {
  std::int64_t count = 1;
  for (const auto side : shape) count *= side;
  return Tensor::of(std::move(shape), std::vector<float>(static_cast<std::size_t>(count), value));
}

// Latents, words and a mask of one value for each named photo.
inline Dataset tiny_dataset(const std::vector<std::string>& photos, bool customer = true, float mask = 1) {
  Dataset dataset;
  dataset.customer = customer;
  dataset.texts["a person"] = {normal_tensor({kTinyTokens, kTinyWidth}, "a person")};
  for (const auto& photo : photos)
    dataset.items.push_back({photo, sha256(photo), normal_tensor({4, kTinyGrid, kTinyGrid}, photo, 4),
                             constant_tensor({4, kTinyGrid, kTinyGrid}, 0.1f),
                             constant_tensor({kTinyGrid, kTinyGrid}, mask), "a person", 1});
  return dataset;
}

}  // namespace atelier
