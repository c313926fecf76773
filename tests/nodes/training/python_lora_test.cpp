// A LoRA that was trained, subtracted and written here is the same LoRA in diffusers.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <cstdlib>

#include "diffusion/model_init.h"
#include "diffusion/safetensors.h"
#include "lora/diff_node.h"
#include "lora/lora_type.h"
#include "model/base_model.h"
#include "model/loras.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"
#include "training/train_node.h"

namespace atelier {
namespace {

constexpr std::int64_t kDemoWidth = 32;  // of `atelier model init --width 32`: channels, and the text encoder's width

Artifact demo_base(const std::filesystem::path& folder) {
  const auto made = diffusion::init_model({.arch = "sd1", .width = kDemoWidth, .seed = 7}, folder,
                                          ATELIER_SOURCE_DIR "/models/clip-tokenizer");
  if (!made) throw Fault(made.error().message);
  return *make_model_type()->open_input(folder, digest_of_file);
}

Dataset demo_dataset(const std::vector<std::string>& photos, float mask) {
  auto dataset = tiny_dataset(photos, true, mask);
  dataset.texts["a person"] = {normal_tensor({kTinyTokens, kDemoWidth}, "a person")};
  return dataset;
}

Artifact run(const Node& node, const Inputs& inputs, const std::map<std::string, Value>& params) {
  FakeContext context;
  FakeDevice device;
  const auto outputs = run_node(node, inputs, params, context, device);
  if (!outputs) throw Fault(outputs.error().message);
  return outputs->at("lora");
}

// LoRA 4 of two short trainings of unequal ranks and alphas.
Artifact identity_lora(const Artifact& base) {
  const auto train = [&](const Dataset& dataset, std::int64_t rank, double alpha) {
    return run(*make_train_node(), {{"base", {base}}, {"datasets", {dataset.to_artifact()}}},
               {{"rank", rank}, {"alpha", alpha}, {"steps", 8}, {"learning_rate", 0.02}});
  };
  return run(*make_diff_node(),
             {{"minuend", {train(demo_dataset({"a.png", "b.png"}, 1), 4, 8)}},
              {"subtrahend", {train(demo_dataset({"c.png", "d.png"}, 0.5f), 6, 3)}}},
             {});
}

// The UNet's inputs, and our outputs without and with the LoRA.
diffusion::WeightMap unet_case(const Artifact& base, const Artifact& lora) {
  FakeDevice device;
  const auto unet = *resident_unet(*Model::from(base), device);
  const at::NoGradGuard no_grad;
  const diffusion::UNetInput input{at::randn({2, 4, 16, 16}), at::tensor({10, 700}, at::kLong),
                                   at::randn({2, 77, kDemoWidth})};
  const auto adapters = diffusion::adapters_of(as_diffusion(*LoraSet::from(lora)));
  return {{"sample", input.sample},
          {"timesteps", input.timesteps},
          {"context", input.context},
          {"base", unet->forward(input)},
          {"adapted", unet->forward(input, adapters.for_rows({0, 0}))}};
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return text;
  char buffer[4096];
  while (const auto count = ::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, count);
  ::pclose(pipe);
  return text;
}

TEST(PythonLora, GivesDiffusersTheSameUNetOutputAsOurs) {
  const char* venv = std::getenv("ATELIER_VENV");
  if (!venv) GTEST_SKIP() << "ATELIER_VENV is not set to a Python environment with diffusers and peft";
  const TemporaryFolder folder;
  const auto base_folder = folder.path() / "base", lora_file = folder.path() / "identity.safetensors",
             case_file = folder.path() / "case.safetensors";
  const auto base = demo_base(base_folder);
  const auto lora = identity_lora(base);
  const auto files = make_posix_files();
  ASSERT_TRUE(make_lora_type(*files)->write(lora, lora_file, "anna/anna_identity.safetensors"));
  ASSERT_TRUE(diffusion::write_safetensors(case_file, unet_case(base, lora), {}));

  const auto answer =
      output_of("'" + std::string(venv) + "/bin/python' '" ATELIER_SOURCE_DIR "/tests/python/lora_in_diffusers.py' '" +
                base_folder.string() + "' '" + lora_file.string() + "' '" + case_file.string() + "'");
  const auto differences = nlohmann::json::parse(answer, nullptr, false);
  ASSERT_TRUE(differences.is_object()) << answer;
  EXPECT_LT(differences.at("base").get<double>(), 1e-4);
  EXPECT_LT(differences.at("adapted").get<double>(), 1e-4);
  EXPECT_GT(differences.at("moved").get<double>(), 1e-2);
}

}  // namespace
}  // namespace atelier
