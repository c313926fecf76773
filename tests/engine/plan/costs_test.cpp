#include "plan/costs.h"

#include <gtest/gtest.h>

#include "plan_world.h"

namespace atelier {
namespace {

using Basis = TaskCost::Basis;

Record measured(const std::string& node, const std::string& like, const std::string& device, double seconds,
                double guess_s, std::uint64_t bytes) {
  Record record;
  record.node = node;
  record.cost_s = seconds;
  record.outputs["lora"] = {{}, bytes};
  record.provenance = {{"like", like}, {"device", device}, {"guess_s", guess_s}};
  return record;
}

TEST(MeasuredCosts, ExpectTheMedianOfTasksAlikeOnDevicesOfTheKind) {
  MeasuredCosts costs;
  for (const double seconds : {10.0, 1000.0, 12.0}) costs.add(measured("train", "a", "cuda:0", seconds, 100, 40));
  costs.add(measured("train", "a", "cpu:1", 300, 100, 40));
  costs.add(measured("train", "b", "cuda:1", 7, 100, 90));
  const TaskCost cost = costs.of("train", "a", "cuda", 100);
  EXPECT_EQ(cost.seconds, 12);
  EXPECT_EQ(cost.bytes, 40U);
  EXPECT_EQ(cost.time_basis, Basis::alike);
  EXPECT_EQ(cost.size_basis, Basis::alike);
  EXPECT_EQ(costs.of("train", "a", "cpu", 100).seconds, 300);
}

TEST(MeasuredCosts, ExpectTheMeanOfTheMiddleTwoOfAnEvenNumber) {
  MeasuredCosts costs;
  for (const double seconds : {40.0, 10.0, 20.0, 5.0}) costs.add(measured("train", "a", "cpu", seconds, 1, 0));
  EXPECT_EQ(costs.of("train", "a", "cpu", 1).seconds, 15);
}

TEST(MeasuredCosts, ExpectOfOtherTasksOfTheNodeInTheRatioOfTheGuesses) {
  MeasuredCosts costs;
  costs.add(measured("train", "a", "cuda:0", 50, 100, 40));
  const TaskCost cost = costs.of("train", "longer", "cuda", 800);
  EXPECT_EQ(cost.seconds, 400);
  EXPECT_EQ(cost.bytes, 40U);
  EXPECT_EQ(cost.time_basis, Basis::node);
  EXPECT_EQ(cost.size_basis, Basis::node);
}

TEST(MeasuredCosts, AreGuessesWhereNothingWasMeasured) {
  MeasuredCosts costs;
  costs.add(measured("sample", "a", "cuda:0", 50, 100, 40));
  const TaskCost cost = costs.of("train", "b", "cuda", 800);
  EXPECT_EQ(cost.seconds, 800);
  EXPECT_EQ(cost.bytes, 0U);
  EXPECT_EQ(cost.time_basis, Basis::guess);
  EXPECT_EQ(cost.size_basis, Basis::guess);
  EXPECT_EQ(costs.of("sample", "a", "cpu", 3).time_basis, Basis::guess) << "no device of that kind was measured";
  EXPECT_EQ(costs.of("sample", "a", "cpu", 3).size_basis, Basis::alike) << "bytes are the same everywhere";
}

TEST(MeasuredCosts, TakeNoTimeFromATrainingThatWentOnFromACheckpoint) {
  MeasuredCosts costs;
  auto resumed = measured("train", "a", "cuda:0", 2, 100, 40);
  resumed.provenance["resumed"] = true;
  costs.add(resumed);
  const TaskCost cost = costs.of("train", "a", "cuda", 100);
  EXPECT_EQ(cost.time_basis, Basis::guess);
  EXPECT_EQ(cost.bytes, 40U);
}

TEST(MeasuredCosts, CountNoRecordThatDoesNotSayWhatItIsLike) {
  MeasuredCosts costs;
  Record record = measured("train", "a", "cuda:0", 50, 100, 40);
  record.provenance = {{"of", "a key"}};
  costs.add(record);
  record.provenance = {{"like", 3}, {"device", true}};
  costs.add(record);
  EXPECT_EQ(costs.of("train", "a", "cuda", 9).time_basis, Basis::guess);
}

TEST(MeasuredCosts, KnowThePortsApart) {
  MeasuredCosts costs;
  Record record = measured("train", "a", "cpu", 50, 100, 40);
  record.outputs["words"] = {{}, 7};
  costs.add(record);
  EXPECT_EQ(costs.of("train", "a", "cpu", 1).bytes, 47U);
  EXPECT_EQ(costs.port_bytes("train", "a", "words"), 7U);
  EXPECT_EQ(costs.port_bytes("train", "other", "lora"), 40U);
  EXPECT_EQ(costs.port_bytes("train", "a", "nothing"), std::nullopt);
  EXPECT_EQ(costs.port_bytes("sample", "b", "lora"), std::nullopt);
}

class Likeness : public ::testing::Test {
 protected:
  Likeness() {
    spec.name = "paint";
    spec.params = {{.name = "steps", .value = 5},
                   {.name = "seed", .value = 1},
                   {.name = "prompt", .value = "a cat"},
                   {.name = "method", .value = "sum", .choices = {"sum", "ties"}},
                   {.name = "seeds", .type = ValueType::list, .value = Value::List{1, 2}},
                   {.name = "threads", .value = 1, .role = ParamRole::execution}};
    for (auto& param : spec.params) param.type = param.value.type();
  }
  std::string of(std::map<std::string, Value> given, std::size_t sources = 1) const {
    return likeness(spec, Params(spec, std::move(given)), {{"in", std::vector<TaskSource>(sources)}});
  }
  NodeSpec spec;
};

TEST_F(Likeness, IsThatOfEqualNumbersChoicesAndLengths) {
  EXPECT_EQ(of({}).size(), 16U);
  EXPECT_EQ(of({}), of({{"seed", 7}, {"prompt", "a dog"}, {"seeds", Value::List{8, 9}}, {"threads", 4}}));
}

TEST_F(Likeness, IsAnotherForAnotherNumberChoiceOrLength) {
  EXPECT_NE(of({}), of({{"steps", 6}}));
  EXPECT_NE(of({}), of({{"method", "ties"}}));
  EXPECT_NE(of({}), of({{"seeds", Value::List{1}}}));
  EXPECT_NE(of({}), of({}, 2)) << "as many datasets as make a batch";
}

// The training of one customer, measured, says what those of the others will take.
TEST(CostsOfTasks, KnowATaskByThoseOfOtherCustomers) {
  PlanWorld world;
  const Plan plan = world.plan();
  MeasuredCosts costs;
  Record record = measured("learn", "", "cuda:3", 90, 1, 40);
  record.outputs = {{"text", {{}, 40}}};
  record.provenance.update(cost_traits(plan, world.batch, world.find(plan, "train/anna").id));
  costs.add(record);
  CostsOfTasks tasks(plan, world.batch, costs, "cuda");
  const TaskCost cost = tasks.of(world.find(plan, "train/ben"));
  EXPECT_EQ(cost.seconds, 90);
  EXPECT_EQ(cost.time_basis, Basis::alike);
  EXPECT_EQ(tasks.needs_of(world.find(plan, "train/cleo")).seconds, 90);
  EXPECT_EQ(tasks.of(world.find(plan, "output lora/ben")).bytes, 40U);
  EXPECT_EQ(tasks.of(world.find(plan, "align/ben")).time_basis, Basis::guess);
  EXPECT_EQ(CostsOfTasks(plan, world.batch, costs, "cpu").of(world.find(plan, "train/ben")).time_basis, Basis::guess);
}

TEST(CostsOfTasks, TakeAnOutputOfARecipeForAsLargeAsTheFilesItIsMadeFrom) {
  PlanWorld world;
  world.files.put("/night/book.txt", "0123456789");
  world.batch.inputs["book"] = "/night/book.txt";
  world.batch.pipeline =
      PipelineBuilder(world.registry, "weights")
          .input("book", "text", Scope::batch)
          .input("photos", "texts")
          .step("load", "read", {{"files", {"photos"}}})
          .step("mix", "blend", {{"base", {"book"}}, {"parts", {"load"}}}, {{"weights", Value::List{Value(1.0)}}})
          .output("model", "mix", "${customer}/model/")
          .build();
  const Plan plan = world.plan();
  const MeasuredCosts none;
  const TaskCost cost = CostsOfTasks(plan, world.batch, none, "cpu").of(world.find(plan, "output model/anna"));
  EXPECT_EQ(cost.bytes, 10U);
}

TEST(CostsOfTasks, KnowTheBytesOfAnOutputWhoseSourceIsThere) {
  PlanWorld world;
  world.run();
  world.files.put("/out/anna/anna.txt", "altered");
  const Plan plan = world.plan();
  const Task& lora = world.find(plan, "output lora/anna");
  const MeasuredCosts none;
  EXPECT_EQ(CostsOfTasks(plan, world.batch, none, "cpu").of(lora).bytes,
            world.find(plan, "train/anna").record->outputs.at("text").size_bytes);
}

}  // namespace
}  // namespace atelier
