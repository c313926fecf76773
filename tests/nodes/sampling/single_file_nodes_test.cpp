// A base that is one file, given to the nodes directly: what had to be decided since the file does not say it is told
// once by each task that uses it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "diffusion/model_init.h"
#include "diffusion/model_write.h"
#include "lora/fuse_node.h"
#include "sampling/class_pictures_node.h"
#include "sampling/sample_node.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"
#include "training/dataset_node.h"
#include "training/encode_node.h"
#include "training/train_node.h"
#include "types/captions.h"
#include "types/images.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

const fs::path kWords = ATELIER_SOURCE_DIR "/models/clip-tokenizer";

// Wide enough that its weights tell all of it.
class SingleFileNodes : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(diffusion::init_model({.arch = "sd1", .width = 64}, folder.path() / "made", kWords));
    const auto made = diffusion::BaseModel::open(folder.path() / "made");
    ASSERT_TRUE(diffusion::write_model(*made, {}, file));
    base = make_model_type(kWords)->open_input(file, digest_of_file).value();
    note = file.string() + ": predicts epsilon: the file's metadata says so (modelspec.prediction_type)";
  }

  struct Told {
    std::vector<std::string> warnings;
    Expected<Outputs> outputs;
  };
  Told run(const Node& node, Inputs inputs, const std::map<std::string, Value>& params) {
    inputs["base"] = {base};
    FakeContext context;
    FakeDevice device;
    auto outputs = run_node(node, inputs, params, context, device);
    return {context.warnings, std::move(outputs)};
  }

  TemporaryFolder folder;
  const fs::path file = folder.path() / "base.safetensors";
  Artifact base;
  std::string note;
};

TEST_F(SingleFileNodes, TellOnceWhatTheyTakeTheFileToPredict) {
  Image image;
  image.name = "a.png";
  image.photo = sha256("a.png");
  image.pixels = Tensor::of({64, 64, 3}, std::vector<std::uint8_t>(64 * 64 * 3, 100));
  CaptionSet captions;
  captions.items = {{"a.png", "a person"}};
  const auto encoded = run(*make_encode_node(),
                           {{"images", {ImageSet{{image}}.to_artifact()}}, {"captions", {captions.to_artifact()}}}, {});
  ASSERT_TRUE(encoded.outputs) << encoded.outputs.error().message;
  EXPECT_THAT(encoded.warnings, ElementsAre(note));

  FakeContext context;
  FakeDevice device;
  const auto set = run_node(*make_dataset_node(),
                            {{"latents", {encoded.outputs->at("latents")}}, {"captions", {captions.to_artifact()}}}, {},
                            context, device);
  ASSERT_TRUE(set) << set.error().message;
  const auto trained = run(*make_train_node(), {{"datasets", {set->at("dataset")}}},
                           {{"rank", 2},
                            {"steps", 2},
                            {"validation_every", 1},
                            {"validation_prompts", Value::List{"a person"}},
                            {"validation_sampling_steps", 1}});
  ASSERT_TRUE(trained.outputs) << trained.outputs.error().message;
  EXPECT_THAT(trained.warnings, ElementsAre(note)) << "validation pictures open it again";

  const auto fused = run(*make_fuse_node(), {{"loras", {trained.outputs->at("lora")}}}, {});
  ASSERT_TRUE(fused.outputs) << fused.outputs.error().message;
  EXPECT_THAT(fused.warnings, ElementsAre(note));

  const auto sampled =
      run(*make_sample_node(), {}, {{"prompts", Value::List{"a person"}}, {"steps", 1}, {"width", 64}, {"height", 64}});
  ASSERT_TRUE(sampled.outputs) << sampled.outputs.error().message;
  EXPECT_THAT(sampled.warnings, ElementsAre(note));

  const std::map<std::string, Value> class_params{
      {"prompt", "a person"}, {"count", 2}, {"steps", 1}, {"width", 64}, {"height", 64}};
  const auto made = run(*make_class_pictures_node(), {}, class_params);
  ASSERT_TRUE(made.outputs) << made.outputs.error().message;
  EXPECT_THAT(made.warnings, ElementsAre(note));
}

}  // namespace
}  // namespace atelier
