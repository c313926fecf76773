#include "training/train_model_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/tensors.h"
#include "support/temporary_folder.h"
#include "train_case.h"
#include "types/model.h"

namespace atelier {
namespace {

using testing::ElementsAre;

const std::map<std::string, Value> kModel{
    {"steps", 4}, {"learning_rate", 1e-3}, {"schedule", "constant"}, {"checkpoint_every", 2}};

Expected<Outputs> train_model(const std::vector<Dataset>& datasets, const std::map<std::string, Value>& params,
                              FakeContext& context) {
  FakeDevice device;
  return run_node(*make_train_model_node(), inputs_of(datasets), params, context, device);
}

Model trained_model(const std::vector<Dataset>& datasets, const std::map<std::string, Value>& params) {
  FakeContext context;
  const auto outputs = train_model(datasets, params, context);
  if (!outputs) throw Fault(outputs.error().message);
  return *Model::from(outputs->at("model"));
}

std::vector<Dataset> datasets_with_text() { return {tiny_dataset({"a.png", "b.png"})}; }

at::Tensor weight_of(const Model& model, const std::string& name) {
  return weights_of(model, *open_base(model), diffusion::ModelPart::unet)->at(name).to(at::kFloat);
}

TEST(TrainModel, ChangesTheWeightsOfTheUNetAndNothingElse) {
  const auto model = trained_model(datasets_with_text(), kModel);
  ASSERT_TRUE(model.changed.has_value());
  EXPECT_EQ(model.changed->parts.size(), 1u);
  const auto base = *Model::from(tiny_base());
  EXPECT_FALSE(at::equal(weight_of(model, "conv_in.weight"), weight_of(base, "conv_in.weight")));
  EXPECT_NE(base_digest(model), base_digest(base));
}

TEST(TrainModel, TrainsTheTextEncoderWhenAskedAndOnlyWhatPatternsName) {
  auto params = kModel;
  params["train_text_encoder"] = true;
  params["train_unet"] = false;
  const auto text = trained_model(datasets_with_text(), params);
  ASSERT_EQ(text.changed->parts.size(), 1u);
  EXPECT_TRUE(text.changed->parts.contains("text_encoder"));

  params["train_unet"] = true;
  params["targets"] = Value::List{"*attn2.to_k.weight"};
  params["train_text_encoder"] = false;
  const auto few = trained_model(datasets_with_text(), params);
  for (const auto& [name, weight] : few.changed->parts.at("unet"))
    EXPECT_THAT(name, testing::EndsWith("attn2.to_k.weight"));
}

TEST(TrainModel, GoesOnToTheBitFromACheckpoint) {
  auto params = kModel;
  params["train_text_encoder"] = true;
  FakeContext whole, again;
  const auto outputs = train_model(datasets_with_text(), params, whole);
  ASSERT_TRUE(outputs) << outputs.error().message;
  again.checkpoint = whole.saved.at(0);
  EXPECT_EQ(digest_of(train_model(datasets_with_text(), params, again)->at("model")), digest_of(outputs->at("model")));
}

TEST(TrainModel, GivesABaseThatOthersTrainOnAndThatIsWrittenWhole) {
  const auto model = trained_model(datasets_with_text(), kModel);
  FakeDevice device;
  const auto unet = *resident_unet(model, device), plain = *resident_unet(*Model::from(tiny_base()), device);
  const diffusion::UNetInput input{at::ones({1, 4, 16, 16}), at::tensor({500}, at::kLong),
                                   at::ones({1, kTinyTokens, kTinyWidth})};
  EXPECT_GT((unet->forward(input) - plain->forward(input)).abs().max().item<double>(), 1e-4);

  const TemporaryFolder folder;
  const auto path = folder.path() / "out";
  const auto written = make_model_type()->write(model.to_artifact(), path, "out/");
  ASSERT_TRUE(written) << written.error().message;
  const auto back = *Model::from(*make_model_type()->open_input(path, digest_of_file));
  EXPECT_TRUE(at::allclose(weight_of(back, "conv_in.weight"), weight_of(model, "conv_in.weight"), 1e-2, 1e-3));  // half
  EXPECT_FALSE(at::allclose(weight_of(back, "conv_in.weight"), weight_of(*Model::from(tiny_base()), "conv_in.weight"),
                            1e-4, 1e-5));
}

}  // namespace
}  // namespace atelier
