#include "model/model_type.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "diffusion/safetensors.h"
#include "model/base_model.h"
#include "model/loras.h"
#include "model/torch_call.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"

namespace atelier {
namespace {

constexpr const char* kQuery = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
constexpr const char* kUNet = "unet/diffusion_pytorch_model.safetensors";

diffusion::WeightMap weights_at(const std::filesystem::path& path) {
  return *diffusion::Safetensors::open(path).value().tensors();
}

TEST(ModelInput, IsTheFilesOfADiffusersFolderByNameAndDigest) {
  const auto model = Model::from(tiny_base());
  ASSERT_TRUE(model);
  std::vector<std::string> names;
  for (const auto& file : model->files) names.push_back(file.name);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_THAT(names, testing::IsSupersetOf({"model_index.json", "scheduler/scheduler_config.json",
                                            "text_encoder/model.safetensors", "tokenizer/vocab.json",
                                            "unet/config.json", kUNet, "vae/config.json"}));
  EXPECT_EQ(open_base(*model)->path(), ATELIER_SOURCE_DIR "/tests/golden/sd1_tiny/model");
}

TEST(ModelInput, ThatIsNoDiffusersFolderIsTold) {
  const TemporaryFolder folder;
  const auto input = make_model_type()->open_input(folder.path(), digest_of_file);
  ASSERT_FALSE(input);
  EXPECT_EQ(input.error().message, folder.path().string() + ": is not a diffusers folder: it has no model_index.json");
}

TEST(ModelOutput, IsTheBaseWithTheWeightedLorasInItsWeights) {
  auto model = *Model::from(tiny_base());
  LoraSet lora;
  lora.layers[kQuery] = {normal_tensor({4, 32}, "A", 0.1f), normal_tensor({32, 4}, "B", 0.1f), 2};
  model.loras = {{lora, 0.5}};
  const TemporaryFolder folder;
  const auto path = folder.path() / "model";
  const auto written = make_model_type()->write(model.to_artifact(), path, "anna/model/");
  ASSERT_TRUE(written) << written.error().message;

  const auto base = weights_at(open_base(model)->path() / kUNet), fused = weights_at(path / kUNet);
  const std::string weight = std::string(kQuery) + ".weight";
  const auto wanted = base.at(weight).to(at::kFloat) + 0.5 * as_diffusion(lora).layers.at(kQuery).delta();
  EXPECT_TRUE(at::equal(fused.at(weight), wanted.to(base.at(weight).scalar_type())));
  const std::string other = "conv_in.weight";
  EXPECT_TRUE(at::equal(fused.at(other), base.at(other)));
  EXPECT_TRUE(diffusion::BaseModel::open(path));
}

TEST(ModelOutput, IsEqualToTheBitWhenWrittenTwice) {
  const TemporaryFolder folder;
  const auto type = make_model_type();
  for (const char* name : {"one", "two"}) ASSERT_TRUE(type->write(tiny_base(), folder.path() / name, "model/"));
  EXPECT_EQ(*digest_of_file(folder.path() / "one" / kUNet), *digest_of_file(folder.path() / "two" / kUNet));
}

TEST(ModelOutput, IsAFolderOrOneFileAsItsPathSays) {
  const auto type = make_model_type();
  EXPECT_EQ(type->check_output_path("anna/model.safetensors"), "");
  EXPECT_EQ(type->check_output_path("anna/model/"), "");
  EXPECT_EQ(
      type->check_output_path("anna/model.ckpt"),
      "a model is written as a diffusers folder (end the path with '/') or as one file in the original layout (end "
      "it with '.safetensors')");
}

TEST(TorchCall, UsesTheTasksThreadsAndPutsTheCallersBack) {
  FakeContext context;
  context.thread_count = 3;
  const int before = at::get_num_threads();
  int inside = 0;
  ASSERT_TRUE(call_torch(context, [&]() -> Expected<Outputs> {
    inside = at::get_num_threads();
    return Outputs{};
  }));
  EXPECT_EQ(inside, 3);
  EXPECT_EQ(at::get_num_threads(), before);
}

TEST(TorchCall, TellsMemoryThatRanOut) {
  FakeContext context;
  const auto result = call_torch(context, []() -> Expected<Outputs> {
    at::empty({std::int64_t{1} << 50}, at::kFloat);
    return Outputs{};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::out_of_memory);
  EXPECT_THAT(result.error().message, testing::StartsWith("memory ran out: "));
}

TEST(TorchCall, TurnsLibtorchsOwnExceptionsIntoFaults) {
  FakeContext context;
  const auto result = call_torch(context, []() -> Expected<Outputs> {
    at::mm(at::zeros({2, 3}), at::zeros({2, 3}));
    return Outputs{};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::fault);
  EXPECT_THAT(result.error().message, testing::StartsWith("libtorch: "));
}

}  // namespace
}  // namespace atelier
