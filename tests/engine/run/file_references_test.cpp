// Results that refer to files of their inputs, as a trained model does to its base's: stored without places, and given
// the places of the reader's own inputs when they are opened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "pipeline/load.h"
#include "run/task_inputs.h"
#include "run_world.h"
#include "support/fake_context.h"
#include "support/fake_device.h"

namespace atelier {
namespace {

// Its result refers to the files it was given and to others, where a test says so.
class Refer final : public SingleNode {
 public:
  explicit Refer(std::vector<FileRef> others = {}) : others_(std::move(others)) {
    spec_.name = "refer";
    spec_.summary = "Refers to the files it was given.";
    spec_.inputs = {{"files", "texts", "Texts.", false, true}};
    spec_.outputs = {{"text", "text", "A text."}};
  }
  const NodeSpec& spec() const override { return spec_; }
  Expected<Outputs> run_one(const Job& job, Device&) const override {
    auto artifact = text_artifact("refers");
    artifact.files = job.input("files").files;
    artifact.files.insert(artifact.files.end(), others_.begin(), others_.end());
    return Outputs{{"text", artifact}};
  }

 private:
  NodeSpec spec_;
  std::vector<FileRef> others_;
};

// A text of the places of all files its input refers to.
class Places final : public SingleNode {
 public:
  Places() {
    spec_.name = "places";
    spec_.summary = "Tells where files lie.";
    spec_.inputs = {{"text", "text", "A text.", false, true}};
    spec_.outputs = {{"text", "text", "A text."}};
  }
  const NodeSpec& spec() const override { return spec_; }
  Expected<Outputs> run_one(const Job& job, Device&) const override {
    std::string places;
    for (const auto& file : job.input("text").files) places += file.path.string() + "\n";
    return Outputs{{"text", text_artifact(places)}};
  }

 private:
  NodeSpec spec_;
};

constexpr auto kPipeline = R"(atelier: 1
name: referring
inputs:
  photos: {type: texts}
steps:
  one: {use: refer, in: {files: photos}}
  two: {use: places, in: {text: one}}
outputs:
  two: {from: two, path: "${customer}/places.txt"}
)";

TEST(FileReferences, AreReadAtThePlacesOfTheTasksOwnInputsInALaterRunToo) {
  RunWorld world;
  world.registry.add(std::make_unique<Refer>());
  world.registry.add(std::make_unique<Places>());
  ASSERT_TRUE(write_file(world.files, "/studio/portrait.yaml", std::string_view(kPipeline)));
  world.batch.pipeline = load_pipeline(world.files, "/studio/portrait.yaml", world.registry).value();
  world.batch.inputs.clear();
  EXPECT_EQ(world.run().exit_code, 0);
  EXPECT_EQ(world.output("anna/places.txt"), "/studio/anna/one.txt\n");
}

TEST(FileReferences, ToFilesThatNoInputHasAreAFaultOfTheNode) {
  FakeContext context;
  FakeDevice device;
  MemoryFiles files;
  NodeRegistry registry = make_test_registry(files);
  Artifact input;
  input.files.push_back({"one.txt", sha256("one"), "/studio/anna/one.txt", 3});
  const Refer node({{"two.txt", sha256("two"), "/elsewhere/two.txt", 3}});
  const Params params(node.spec(), {});
  const Inputs inputs{{"files", {input}}};
  const auto outputs = run_node(node, registry, Job{inputs, params, context}, device);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().message,
            "node 'refer' gave a wrong result: port 'text' refers to the file 'two.txt', which none of its inputs has");
  EXPECT_EQ(outputs.error().kind, ErrorKind::fault);
}

}  // namespace
}  // namespace atelier
