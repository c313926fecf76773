// LoRA files for the tests of `atelier lora`.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "../nodes/diffusion/random_loras.h"
#include "diffusion/lora_format.h"
#include "diffusion/safetensors.h"
#include "process.h"

namespace atelier::test {

inline const std::filesystem::path kGoldens = ATELIER_SOURCE_DIR "/tests/golden";

template <class T>
T must(diffusion::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

inline diffusion::Lora lora_in(const std::filesystem::path& path) { return must(diffusion::read_lora(path)); }

inline diffusion::Metadata metadata_in(const std::filesystem::path& path) {
  return must(diffusion::Safetensors::open(path)).metadata();
}

inline void write_tensors(const std::filesystem::path& path, const diffusion::WeightMap& tensors,
                          const diffusion::Metadata& metadata = {}) {
  const auto written = diffusion::write_safetensors(path, tensors, metadata);
  if (!written) throw std::runtime_error(written.error().message);
}

/// The LoRA as kohya's tools write it, each layer with its own alpha.
inline void write_kohya(const std::filesystem::path& path, const diffusion::Lora& lora, const std::string& title = "",
                        at::ScalarType dtype = at::kFloat) {
  auto file = diffusion::to_kohya(lora, {.title = title}, diffusion::LoraAlphas::keep);
  for (auto& [key, tensor] : file.tensors) tensor = tensor.to(dtype);
  write_tensors(path, file.tensors, file.metadata);
}

/// ||dWa - dWb|| over all layers, one that a LoRA does not have as zero in it.
inline double distance(const diffusion::Lora& first, const diffusion::Lora& second, double weight = 1) {
  double squares = 0;
  for (const auto& [name, layer] : first.layers) {
    at::Tensor delta = diffusion::exact_delta(layer);
    const auto other = second.layers.find(name);
    if (other != second.layers.end()) delta = delta - weight * diffusion::exact_delta(other->second);
    squares += delta.square().sum().item<double>();
  }
  for (const auto& [name, layer] : second.layers)
    if (!first.layers.contains(name)) squares += (weight * diffusion::exact_delta(layer)).square().sum().item<double>();
  return std::sqrt(squares);
}

class LoraCommand : public testing::Test {
 protected:
  LoraCommand() {
    write_kohya(a, first, "Anna");
    write_kohya(b, second, "Background");
  }

  std::filesystem::path path(const std::string& name) const { return folder.path() / name; }
  /// The words with `lora` before them.
  Finished lora(std::vector<std::string> words) const {
    words.insert(words.begin(), "lora");
    return atelier(std::move(words), folder.path());
  }
  /// The same, of which nothing may be wrong.
  std::string lora_output(std::vector<std::string> words) const {
    const auto finished = lora(std::move(words));
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return finished.out;
  }

  TemporaryFolder folder;
  const std::filesystem::path a = folder.path() / "a.safetensors", b = folder.path() / "b.safetensors",
                              out = folder.path() / "out.safetensors";
  const std::filesystem::path tiny = kGoldens / "sd1_tiny/model";
  diffusion::RandomLoras random{17};
  const diffusion::Lora first = random.lora(), second = random.lora();
};

}  // namespace atelier::test
