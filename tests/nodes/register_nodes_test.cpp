#include "nodes/register_nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "pipeline/load.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::Pair;

class Registry : public testing::Test {
 protected:
  std::unique_ptr<Files> files = make_posix_files();
  NodeRegistry registry = make_registry({*files, ATELIER_SOURCE_DIR "/models", ATELIER_SOURCE_DIR "/pipelines"});

  std::vector<const NodeSpec*> specs() const {
    std::vector<const NodeSpec*> all;
    for (const auto& name : registry.names()) all.push_back(&registry.find(name)->spec());
    return all;
  }
};

TEST_F(Registry, HasAllPortTypes) {
  EXPECT_THAT(registry.type_names(),
              ElementsAre("captions", "dataset", "embedding", "file", "images", "latents", "lora", "masks", "metrics",
                          "model", "model_config", "photos", "pictures"));
}

TEST_F(Registry, HasTheNodesOfThePortraitMethod) {
  EXPECT_THAT(registry.names(),
              ElementsAre("align", "caption", "checkpoint", "class_pictures", "combine", "dataset", "diff", "encode",
                          "exec", "extract_lora", "fuse", "load", "resize", "resize_lora", "sample", "segment",
                          "split_captions", "train", "train_embedding", "train_model", "train_vae"));
}

TEST_F(Registry, MakesThePipelineThatShipsValid) {
  const auto pipeline = load_pipeline(*files, ATELIER_SOURCE_DIR "/pipelines/portrait.yaml", registry);
  std::string mistakes;
  if (!pipeline)
    for (const auto& mistake : pipeline.error()) mistakes += mistake.text() + "\n";
  ASSERT_EQ(mistakes, "");
  std::set<std::string> of_the_batch;  // what no customer changes
  for (const auto& step : pipeline->steps)
    if (step.scope == Scope::batch && step.node->spec().name == "train") of_the_batch.insert(step.name);
  EXPECT_THAT(of_the_batch, ElementsAre("look"));
}

TEST_F(Registry, MakesAKohyaUsersPipelineValid) {
  const auto pipeline = load_pipeline(*files, ATELIER_SOURCE_DIR "/pipelines/kohya.yaml", registry);
  std::string mistakes;
  if (!pipeline)
    for (const auto& mistake : pipeline.error()) mistakes += mistake.text() + "\n";
  EXPECT_EQ(mistakes, "");
}

// An empty portrait mask would fail the customer for a photo of a dog among the photos of the person. In a drawing the
// detector may find none.
TEST_F(Registry, ThePipelineThatShipsLeavesOutPhotosWithoutAFaceButNoStylePictures) {
  const auto pipeline = load_pipeline(*files, ATELIER_SOURCE_DIR "/pipelines/portrait.yaml", registry);
  ASSERT_TRUE(pipeline);
  std::map<std::string, std::string> on_no_face;
  for (const auto& step : pipeline->steps)
    for (const auto& param : step.params)
      if (param.spec->name == "on_no_face") on_no_face[step.name] = param.expression.value.text();
  EXPECT_THAT(on_no_face, ElementsAre(Pair("random_set.aligned", "drop"), Pair("style_set.aligned", "keep"),
                                      Pair("target_set.aligned", "drop")));
}

// The module's steps are the batch's where the base is, whoever's training uses them.
TEST_F(Registry, MakesClassPicturesOnceForAWholeBatch) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "class.yaml";
  ASSERT_TRUE(write_file(
      *files, path,
      std::string_view("atelier: 1\n"
                       "name: class\n"
                       "inputs:\n"
                       "  base: {type: model, scope: batch}\n"
                       "  own:  {type: lora}\n"
                       "steps:\n"
                       "  prior: {use: " ATELIER_SOURCE_DIR "/pipelines/modules/prior.yaml, in: {base: base}}\n"
                       "  lora:  {use: train, in: {base: base, datasets: [prior]}}\n"
                       "  less:  {use: diff, in: {minuend: own, subtrahend: lora}}\n"
                       "outputs:\n"
                       "  less: {from: less, path: \"${customer}.safetensors\"}\n")));
  const auto pipeline = load_pipeline(*files, path, registry);
  std::string mistakes;
  if (!pipeline)
    for (const auto& mistake : pipeline.error()) mistakes += mistake.text() + "\n";
  ASSERT_EQ(mistakes, "");
  std::set<std::string> of_the_batch;
  for (const auto& step : pipeline->steps)
    if (step.scope == Scope::batch) of_the_batch.insert(step.name);
  EXPECT_THAT(of_the_batch, ElementsAre("lora", "prior.latents", "prior.pictures", "prior.set"));
}

TEST_F(Registry, SaysOneSentenceOfEveryNodePortAndParam) {
  for (const auto* spec : specs()) {
    EXPECT_THAT(spec->summary, EndsWith(".")) << spec->name;
    for (const auto& port : spec->inputs) EXPECT_THAT(port.summary, EndsWith(".")) << spec->name << " " << port.name;
    for (const auto& port : spec->outputs) EXPECT_THAT(port.summary, EndsWith(".")) << spec->name << " " << port.name;
    for (const auto& param : spec->params) EXPECT_THAT(param.summary, EndsWith(".")) << spec->name << " " << param.name;
  }
}

TEST_F(Registry, HasDefaultsThatTheirParamsAccept) {
  for (const auto* spec : specs())
    for (const auto& param : spec->params) {
      const auto wrong = param.value.absent() ? std::string() : mismatch(param, param.value);
      EXPECT_EQ(wrong, "") << spec->name << " " << param.name;
    }
}

TEST_F(Registry, PutsWhatNeedsAModelOnDevices) {
  for (const char* name : {"class_pictures", "encode", "train", "sample"})
    EXPECT_EQ(registry.find(name)->spec().place, Place::device);
  for (const char* name : {"combine", "dataset", "diff", "extract_lora", "fuse", "resize_lora"})
    EXPECT_EQ(registry.find(name)->spec().place, Place::cpu);
}

TEST_F(Registry, StoresNoFusedModel) { EXPECT_EQ(registry.find("fuse")->spec().keep, Keep::recipe); }

}  // namespace
}  // namespace atelier
