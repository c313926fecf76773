#include "model/checkpoint_node.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "diffusion/model_write.h"
#include "diffusion/safetensors.h"
#include "model/base_model.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kTiny = ATELIER_SOURCE_DIR "/tests/golden/sd1_tiny/model";
const fs::path kWords = ATELIER_SOURCE_DIR "/models/clip-tokenizer";
constexpr const char* kQuery = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";

// The project's small base as one file, which does not say how many heads it has.
class Checkpoint : public testing::Test {
 protected:
  void SetUp() override {
    const auto base = diffusion::BaseModel::open(kTiny);
    ASSERT_TRUE(diffusion::write_model(*base, {}, file));
  }
  Artifact input(const fs::path& path) const {
    return make_model_type(kWords)->open_input(path, digest_of_file).value();
  }
  Artifact config() const { return make_model_config_type()->open_input(kTiny, digest_of_file).value(); }
  Expected<Outputs> run(const Inputs& inputs, const std::map<std::string, Value>& params = {}) {
    FakeDevice device;
    return run_node(*make_checkpoint_node(), inputs, params, context, device);
  }
  static Model model_of(const Expected<Outputs>& outputs) { return *Model::from(outputs.value().at("model")); }

  TemporaryFolder folder;
  const fs::path file = folder.path() / "tiny.safetensors";
  FakeContext context;
};

TEST_F(Checkpoint, OfOneFileIsKnownByItsContentAndNotByItsName) {
  const auto renamed = folder.path() / "other.safetensors";
  fs::copy_file(file, renamed);
  const auto one = *Model::from(input(file)), two = *Model::from(input(renamed));
  std::vector<std::string> names;
  for (const auto& ref : one.files) names.push_back(ref.name);
  EXPECT_THAT(names, ElementsAre("model.safetensors", "tokenizer/merges.txt", "tokenizer/vocab.json"));
  EXPECT_EQ(base_digest(one), base_digest(two));
}

TEST_F(Checkpoint, NeedsTheConfigurationThatTheFileDoesNotTell) {
  const auto outputs = run({{"model", {input(file)}}});
  ASSERT_FALSE(outputs);
  EXPECT_THAT(outputs.error().message, HasSubstr("how many heads it has is not known; give its configuration"));
}

TEST_F(Checkpoint, WithAConfigurationIsTheBase) {
  const auto model = model_of(run({{"model", {input(file)}}, {"config", {config()}}}));
  const auto base = open_base(model);
  ASSERT_TRUE(base) << base.error().message;
  EXPECT_EQ(base->path(), file);
  EXPECT_EQ(base->config_folder(), kTiny);
  EXPECT_EQ(base->tokenizer_folder(0), kTiny / "tokenizer");
  FakeDevice device;
  EXPECT_TRUE(resident_text_encoders(model, device));
  EXPECT_TRUE(resident_unet(model, device));
  EXPECT_NE(base_digest(model), base_digest(*Model::from(input(file)))) << "another configuration is another base";
}

TEST_F(Checkpoint, UsesAnotherPredictionTypeThanTheFilesSay) {
  const auto plain = model_of(run({{"model", {input(kTiny)}}}));
  EXPECT_EQ(base_digest(plain), base_digest(*Model::from(tiny_base()))) << "asked for nothing, it is the base itself";
  const auto velocity = model_of(run({{"model", {input(kTiny)}}}, {{"prediction_type", "v_prediction"}}));
  EXPECT_EQ(open_base(velocity)->scheduler_config().prediction_type, diffusion::PredictionType::v_prediction);
  EXPECT_NE(base_digest(velocity), base_digest(plain));
}

TEST_F(Checkpoint, IsWrittenInTheLayoutOfItsPathAndTheDtypeAskedFor) {
  const auto outputs = run({{"model", {input(file)}}, {"config", {config()}}}, {{"dtype", "float32"}});
  const auto type = make_model_type(kWords);
  ASSERT_TRUE(type->write(outputs->at("model"), folder.path() / "new1", "anna/model/"));
  const auto written = diffusion::BaseModel::open(folder.path() / "new1");
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->stored(diffusion::ModelPart::unet).dtype, "F32");
  ASSERT_TRUE(type->write(outputs->at("model"), folder.path() / "new2", "anna/model.safetensors"));
  EXPECT_TRUE(diffusion::Safetensors::open(folder.path() / "new2"));
}

TEST_F(Checkpoint, IsFusedFromAFileAsFromAFolder) {
  LoraSet lora;
  lora.layers[kQuery] = {normal_tensor({4, 32}, "A", 0.1f), normal_tensor({32, 4}, "B", 0.1f), 2};
  const auto type = make_model_type(kWords);
  auto from_file = model_of(run({{"model", {input(file)}}, {"config", {config()}}}));
  auto from_folder = *Model::from(tiny_base());
  diffusion::WeightMap weights[2];
  int i = 0;
  for (auto* model : {&from_file, &from_folder}) {
    model->loras = {{lora, 0.5}};
    const auto path = folder.path() / std::to_string(i);
    ASSERT_TRUE(type->write(model->to_artifact(), path, "model/"));
    weights[i++] = *diffusion::BaseModel::open(path)->weights(diffusion::ModelPart::unet);
  }
  for (const auto& [name, tensor] : weights[0]) EXPECT_TRUE(tensor.equal(weights[1].at(name))) << name;
}

TEST_F(Checkpoint, TellsTheTaskWhatWasDecided) {
  auto tensors = *diffusion::Safetensors::open(file)->tensors();
  for (auto& [key, tensor] : tensors) tensor = tensor.clone();
  tensors["model.diffusion_model.extra"] = at::zeros({1});
  ASSERT_TRUE(diffusion::write_safetensors(folder.path() / "extra.safetensors", tensors, {}));
  run({{"model", {input(folder.path() / "extra.safetensors")}}, {"config", {config()}}});
  EXPECT_THAT(context.warnings, ElementsAre((folder.path() / "extra.safetensors").string() +
                                            ": 1 weight is not known and left out: model.diffusion_model.extra"));
}

TEST_F(Checkpoint, RefusesAFusedModel) {
  auto fused = *Model::from(tiny_base());
  fused.loras.push_back({LoraSet{}, 1});
  EXPECT_EQ(run({{"model", {fused.to_artifact()}}}).error().message,
            "checkpoint takes a base model; this one is fused");
}

TEST(ModelConfig, ThatIsNoDiffusersFolderIsTold) {
  const TemporaryFolder folder;
  const auto opened = make_model_config_type()->open_input(folder.path(), digest_of_file);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, (folder.path() / "model_index.json").string() + ": cannot be opened");
}

}  // namespace
}  // namespace atelier
