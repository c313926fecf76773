// diffusers paints the same pictures: from the same seed, prompt and scheduler, with a LoRA file written here and
// without, for the peers' small models of the three architectures.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <cstdlib>

#include "diffusion/safetensors.h"
#include "lora/lora_type.h"
#include "model/base_model.h"
#include "model/tensors.h"
#include "sampling/sample_node.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"
#include "types/pictures.h"

namespace atelier {
namespace {

constexpr const char* kPrompt = "a photo of a person in a garden, red scarf";
constexpr std::int64_t kSeed = 42, kSteps = 8;

// What one comparison asks for besides.
struct Settings {
  std::string sampler;
  std::optional<std::string> negative;
  double guidance_rescale = 0;
};

// A LoRA of the attention's projections, strong enough to change a picture.
Artifact lora_for(const Artifact& base) {
  FakeDevice device;
  const auto unet = resident_unet(*Model::from(base), device).value();
  LoraSet lora;
  for (const auto& target : unet->lora_targets()) {
    if (target.weight_shape.size() != 2 || target.name.find("attn") == std::string::npos) continue;
    lora.layers[target.name] = {normal_tensor({4, target.weight_shape[1]}, target.name + "A", 0.2f),
                                normal_tensor({target.weight_shape[0], 4}, target.name + "B", 0.2f), 4};
  }
  return lora.to_artifact();
}

at::Tensor painted(const Inputs& inputs, const Settings& settings) {
  std::map<std::string, Value> params{{"prompts", Value::List{kPrompt}},
                                      {"seeds", Value::List{kSeed}},
                                      {"steps", kSteps},
                                      {"sampler", settings.sampler},
                                      {"guidance_rescale", settings.guidance_rescale},
                                      {"width", 96},
                                      {"height", 128}};
  if (settings.negative) params["negative"] = *settings.negative;
  FakeContext context;
  FakeDevice device;
  const auto outputs = run_node(*make_sample_node(), inputs, params, context, device);
  if (!outputs) throw Fault(outputs.error().message);
  return as_torch(PictureSet::from(outputs->at("pictures"))->items.at(0).pixels).clone();
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return text;
  char buffer[4096];
  while (const auto count = ::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, count);
  ::pclose(pipe);
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

class PythonPictures : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const char *venv = std::getenv("ATELIER_VENV"), *peers = std::getenv("ATELIER_PEERS");
    if (!venv) GTEST_SKIP() << "ATELIER_VENV is not set to a Python environment with diffusers and peft";
    if (!peers) GTEST_SKIP() << "ATELIER_PEERS does not name the folder of the peers' small models";
    python_ = std::string(venv) + "/bin/python";
    model_ = std::filesystem::path(peers) / GetParam() / "model";
  }

  // The largest differences of our pictures from diffusers', and how far the LoRA moves diffusers' own.
  nlohmann::json compare(const std::vector<std::string>& samplers, const Settings& settings) {
    const TemporaryFolder folder;
    const auto base = *make_model_type()->open_input(model_, digest_of_file);
    const auto lora = lora_for(base);
    const auto files = make_posix_files();
    const auto lora_file = folder.path() / "lora.safetensors", case_file = folder.path() / "case.safetensors";
    const auto written = make_lora_type(*files)->write(lora, lora_file, "anna/lora.safetensors");
    if (!written) throw Fault(written.error().message);
    diffusion::WeightMap pictures;
    for (const auto& sampler : samplers) {
      auto one = settings;
      one.sampler = sampler;
      pictures[sampler + ".base"] = painted({{"base", {base}}}, one);
      pictures[sampler + ".lora"] = painted({{"base", {base}}, {"loras", {lora}}}, one);
    }
    diffusion::Metadata told{{"prompt", kPrompt},
                             {"seed", std::to_string(kSeed)},
                             {"steps", std::to_string(kSteps)},
                             {"guidance", "7.5"},
                             {"guidance_rescale", std::to_string(settings.guidance_rescale)}};
    if (settings.negative) told["negative_prompt"] = *settings.negative;
    if (auto saved = diffusion::write_safetensors(case_file, pictures, told); !saved)
      throw Fault(saved.error().message);
    const auto answer = output_of("'" + python_ + "' '" ATELIER_SOURCE_DIR "/tests/python/pictures_in_diffusers.py' '" +
                                  model_.string() + "' '" + lora_file.string() + "' '" + case_file.string() + "'");
    return nlohmann::json::parse(answer, nullptr, false);
  }

  static void expect_alike(const nlohmann::json& differences, const std::vector<std::string>& samplers) {
    ASSERT_TRUE(differences.is_object()) << differences;
    for (const auto& sampler : samplers) {
      EXPECT_LE(differences.at(sampler + ".base").get<int>(), 2) << sampler;
      EXPECT_LE(differences.at(sampler + ".lora").get<int>(), 2) << sampler;
    }
    EXPECT_GT(differences.at("moved").get<int>(), 8) << "the LoRA shows";
  }

  std::string python_;
  std::filesystem::path model_;
};

TEST_P(PythonPictures, AreThoseOfDiffusersWithEachSampler) {
  const std::vector<std::string> samplers{"ddim", "dpmpp_2m", "dpmpp_2m_karras", "euler", "euler_a", "unipc"};
  expect_alike(compare(samplers, {"", std::nullopt}), samplers);
}

TEST_P(PythonPictures, AreThoseOfDiffusersWithANegativePromptAndRescaledGuidance) {
  expect_alike(compare({"dpmpp_2m_karras"}, {"", "blurry, ugly", 0.7}), {"dpmpp_2m_karras"});
}

INSTANTIATE_TEST_SUITE_P(Python, PythonPictures, testing::Values("sd1", "sd2", "sdxl"),
                         [](const auto& made) { return made.param; });

}  // namespace
}  // namespace atelier
