// Reference values of a peer's library, in a folder: model/, goldens.safetensors, goldens.json. The project's own
// folder is always there; the peers' larger ones are found through ATELIER_PEERS.
#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "diffusion/config.h"
#include "diffusion/safetensors.h"
#include "diffusion/text_encoders.h"
#include "diffusion/unet.h"
#include "diffusion/vae.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {

/// What a Result holds; a test that gets an Error ends with its text.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

inline void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

inline nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream stream(path);
  return nlohmann::json::parse(stream);
}

/// The parts of a diffusers folder, as its files have them.
struct ModelFolder {
  std::filesystem::path model;
  Architecture kind = Architecture::sd1;

  Architecture architecture() const { return kind; }
  bool sdxl() const { return kind == Architecture::sdxl; }

  nlohmann::json json(const std::string& file) const { return read_json(model / file); }

  WeightMap weights(const std::string& part) const {
    return must(must(Safetensors::open(model / part / "diffusion_pytorch_model.safetensors")).tensors());
  }

  std::shared_ptr<const UNet> unet(ModelOptions options = {}) const {
    WeightReader reader(weights("unet"), "unet", options);
    return must(UNet::create(must(parse_unet_config(json("unet/config.json"), "config.json")), reader));
  }

  std::shared_ptr<const Vae> vae(ModelOptions options = {}) const {
    WeightReader reader(weights("vae"), "vae", options);
    return must(Vae::create(must(parse_vae_config(json("vae/config.json"), "config.json")), reader));
  }

  SchedulerConfig scheduler() const {
    return must(parse_scheduler_config(json("scheduler/scheduler_config.json"), "scheduler_config.json"));
  }

  /// `text_encoder` or `tokenizer`, of the first encoder or the second.
  static std::string text_part(const std::string& part, std::size_t encoder) {
    return encoder == 0 ? part : part + "_2";
  }

  WeightMap text_weights(std::size_t encoder) const {
    const auto file = model / text_part("text_encoder", encoder) / "model.safetensors";
    return must(must(Safetensors::open(file)).tensors());
  }

  std::shared_ptr<const ClipTextModel> text_model(std::size_t encoder, ModelOptions options = {}) const {
    const auto config = json(text_part("text_encoder", encoder) + "/config.json");
    WeightReader reader(text_weights(encoder), "text_encoder", options);
    return must(
        ClipTextModel::create(must(parse_text_config(config, "config.json")), reader, text_encoder_prefix(encoder)));
  }

  TextEncoders text_encoders() const {
    std::vector<TextEncoder> encoders;
    for (std::size_t i = 0; i < (sdxl() ? 2 : 1); ++i) {
      auto tokenizer = must(ClipTokenizer::open(model / text_part("tokenizer", i)));
      encoders.push_back({std::make_shared<const ClipTokenizer>(std::move(tokenizer)), text_model(i)});
    }
    return must(TextEncoders::create(kind, std::move(encoders)));
  }
};

struct GoldenFolder : ModelFolder {
  explicit GoldenFolder(std::filesystem::path folder)
      : ModelFolder{folder / "model"},
        path(std::move(folder)),
        values(must(must(Safetensors::open(path / "goldens.safetensors")).tensors())),
        facts(read_json(path / "goldens.json")) {
    const std::string variant = facts.value("variant", "sd1");
    if (variant != "sd1") kind = variant == "sdxl" ? Architecture::sdxl : Architecture::sd2;
  }

  const at::Tensor& operator[](const std::string& name) const { return values.at(name); }

  /// What unet.out and the LoRAs' outputs were computed from.
  UNetInput input() const {
    UNetInput in{values.at("unet.sample"), values.at("unet.t"), values.at("unet.context")};
    if (!sdxl()) return in;
    in.pooled = values.at("text1.embeds");
    in.time_ids =
        at::tensor({96., 160., 3., 5., 112., 144., 128., 64., 0., 7., 80., 96., 200., 120., 9., 0., 64., 128.},
                   at::kFloat)
            .view({3, 6});  // TIME_IDS in the scripts
    return in;
  }

  std::filesystem::path path;
  WeightMap values;
  nlohmann::json facts;
};

/// A test that runs on the project's own folder ("sd1_tiny") and on those of the peers ("peers/sd1").
class GoldenTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    const std::string name = GetParam();
    std::filesystem::path folder = std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden" / name;
    if (name.starts_with("peers/")) {
      const char* peers = std::getenv("ATELIER_PEERS");
      if (!peers) GTEST_SKIP() << "ATELIER_PEERS does not name the folder of the peers' reference values";
      folder = std::filesystem::path(peers) / name.substr(6);
    }
    golden = std::make_unique<GoldenFolder>(folder);
  }

  std::unique_ptr<GoldenFolder> golden;
};

inline std::string golden_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param.substr(info.param.find('/') + 1);
}

/// The project's own folder in the unit tests, the peers' under the label peers.
#define ATELIER_GOLDEN_SUITE(suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(Own, suite, ::testing::Values("sd1_tiny"), golden_name); \
  INSTANTIATE_TEST_SUITE_P(Peers, suite, ::testing::Values("peers/sd1", "peers/sd2"), golden_name)

/// The same for suites that take every architecture.
#define ATELIER_ARCHITECTURES_SUITE(suite)                                                                   \
  INSTANTIATE_TEST_SUITE_P(Own, suite, ::testing::Values("sd1_tiny", "sd2_tiny", "sdxl_tiny"), golden_name); \
  INSTANTIATE_TEST_SUITE_P(Peers, suite, ::testing::Values("peers/sd1", "peers/sd2", "peers/sdxl"), golden_name)

inline double greatest_difference(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(shape_text(a.sizes()), shape_text(b.sizes()));
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace atelier::diffusion
