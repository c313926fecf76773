#include "plan/needs.h"

#include <gtest/gtest.h>

#include "plan/plan_text.h"
#include "plan_world.h"

namespace atelier {
namespace {

// Needs as many bytes as the pipeline inputs that reach its port have.
class Weigh final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = [] {
      NodeSpec made;
      made.name = "weigh";
      made.summary = "For tests.";
      made.inputs = {{"mix", "blend", "What is weighed."}};
      made.outputs = {{"text", "text", "Nothing."}};
      return made;
    }();
    return spec;
  }
  explicit Weigh(int& asked) : asked_(asked) {}
  Needs needs(const Params&, const InputInfo& info) const override {
    ++asked_;
    Needs needs;
    for (const Artifact* const input : info.inputs.at("mix"))
      for (const auto& file : input->files) needs.device_memory_bytes += file.size_bytes * 1'000'000'000;
    return needs;
  }
  Expected<Outputs> run_one(const Job&, Device&) const override { return Outputs{}; }

 private:
  int& asked_;
};

class NeedsOfATask : public ::testing::Test {
 protected:
  NeedsOfATask() {
    world.registry.add(std::make_unique<Weigh>(asked));
    world.batch.pipeline =
        PipelineBuilder(world.registry, "weights")
            .input("book", "text", Scope::batch)
            .input("photos", "texts")
            .step("load", "read", {{"files", {"photos"}}})
            .step("mix", "blend", {{"base", {"book"}}, {"parts", {"load"}}}, {{"weights", Value::List{Value(1.0)}}})
            .step("weigh", "weigh", {{"mix", {"mix"}}})
            .build();
    world.files.put("/night/book.txt", "0123456789");
    world.batch.inputs["book"] = "/night/book.txt";
  }
  int asked = 0;
  PlanWorld world;
};

TEST_F(NeedsOfATask, SeesThePipelinesInputsThroughARecipeAndNothingThatATaskMakes) {
  const Plan plan = world.plan();
  EXPECT_EQ(NeedsOfTasks(plan, world.batch).of(world.find(plan, "weigh/anna")).device_memory_bytes, 10'000'000'000U);
}

TEST_F(NeedsOfATask, IsAskedForOnceForCustomersWhoseTasksLookAlike) {
  const Plan plan = world.plan();
  NeedsOfTasks nodes(plan, world.batch);
  for (const char* const name : {"weigh/anna", "weigh/ben", "weigh/cleo"})
    EXPECT_EQ(nodes.of(world.find(plan, name)).device_memory_bytes, 10'000'000'000U) << name;
  EXPECT_EQ(asked, 1);
}

TEST_F(NeedsOfATask, IsToldWithThePlan) {
  const Plan plan = world.plan();
  const std::string text = plan_text(plan, world.batch);
  EXPECT_NE(text.find("The most memory that a task needs: about 10.0 GB (weigh/anna)\n"), std::string::npos) << text;
  std::size_t told = 0;
  const auto json = plan_json(plan, world.batch);
  for (const auto& task : json["tasks"]) told += task.contains("memory_bytes") ? 1U : 0U;
  EXPECT_EQ(told, 3U);
}

}  // namespace
}  // namespace atelier
