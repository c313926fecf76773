// One task for equal work, whoever it is for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "plan/memory.h"
#include "plan/planner.h"
#include "plan_world.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::size_t count_of(const PlanWorld& world, const Plan& plan, std::string_view step) {
  return static_cast<std::size_t>(std::ranges::count_if(
      plan.tasks, [&](const Task& task) { return step_name(plan, world.batch, task.id) == step; }));
}

TEST(Sharing, TrainsTheStyleOnceForAll) {
  PlanWorld world;
  const Plan plan = world.plan();
  EXPECT_EQ(count_of(world, plan, "look"), 1u);
  EXPECT_EQ(count_of(world, plan, "train"), 3u);
  const Task& look = world.find(plan, "look");
  EXPECT_TRUE(look.for_batch);
  EXPECT_THAT(look.customers, IsEmpty());
  for (const auto& tasks : plan.by_customer) EXPECT_TRUE(std::ranges::count(tasks, look.id) == 1);
}

TEST(Sharing, GivesCustomersWithIdenticalPhotosOneTask) {
  PlanWorld world;
  world.put_photo("cleo", "a.txt", "ben");  // another folder, the same photo
  const Plan plan = world.plan();
  EXPECT_EQ(count_of(world, plan, "train"), 2u);
  const Task& train = world.find(plan, "train/ben+1");
  EXPECT_THAT(train.customers, ElementsAre(1, 2));
  EXPECT_EQ(count_of(world, plan, "output lora"), 3u);  // each has their own file
  const auto owners = owners_of(plan, world.batch, train.id);
  EXPECT_THAT(owners, ElementsAre("ben@" + batch_place(world.batch), "cleo@" + batch_place(world.batch)));
}

TEST(Sharing, GivesStepsThatDoTheSameOneTask) {
  PlanWorld world;
  world.batch.pipeline = PipelineBuilder(world.registry, "twice")
                             .input("photos", "texts")
                             .step("one", "read", {{"files", {"photos"}}})
                             .step("two", "read", {{"files", {"photos"}}}, {{"upper", false}})
                             .step("loud", "shout", {{"text", {"one"}}})
                             .step("louder", "shout", {{"text", {"two"}}})
                             .build();
  const Plan plan = world.plan({"ben"});
  EXPECT_THAT(world.lines(plan), ElementsAre("run one/ben: new", "wait loud/ben: new"));
  world.execute(plan);
  EXPECT_TRUE(world.ledger.last_step(batch_place(world.batch), "ben", "louder").has_value());
}

TEST(Sharing, FindsDifferentWorkThatCameOutTheSame) {
  PlanWorld world;
  world.result_of_step["load"] = "the same pixels";
  const Plan first = world.plan();
  EXPECT_EQ(count_of(world, first, "align"), 3u);  // not known beforehand
  EXPECT_THAT(world.execute(world.plan({"anna", "ben"})),
              ElementsAre("load/anna", "align/anna", "train/anna", "style_load", "look", "model/anna", "pictures/anna",
                          "output lora/anna", "output pictures/anna", "load/ben", "output lora/ben",
                          "output pictures/ben", "output look"));
}

TEST(Sharing, MakesACustomersOwnWhatTheirParamsReach) {
  PlanWorld world;
  world.batch.customers[0].params["steps"] = 80;
  const Plan plan = world.plan({"anna", "ben"});
  EXPECT_EQ(count_of(world, plan, "look"), 2u);
  EXPECT_EQ(count_of(world, plan, "style_load"), 1u);
  EXPECT_EQ(world.find(plan, "look/anna").params->integer("steps"), 80);
  EXPECT_EQ(world.find(plan, "look").params->integer("steps"), 60);
  EXPECT_EQ(world.find(plan, "train/anna").params->integer("steps"), 80);
  world.execute(plan);
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan({"anna", "ben"})), IsEmpty());
}

TEST(Sharing, GivesWayToTheCommandLine) {
  PlanWorld world;
  world.batch.customers[0].params["steps"] = 80;
  world.set("steps", 70);
  const Plan plan = world.plan();
  EXPECT_EQ(count_of(world, plan, "look"), 1u);
  EXPECT_EQ(world.find(plan, "train/anna").params->integer("steps"), 70);
}

TEST(Sharing, ComputesParamsOnceForEqualValues) {
  PlanWorld world;
  world.batch.customers[2].params["steps"] = 80;
  const Plan plan = world.plan();
  EXPECT_EQ(world.find(plan, "train/anna").params, world.find(plan, "train/ben").params);
  EXPECT_NE(world.find(plan, "train/anna").params, world.find(plan, "train/cleo").params);
  EXPECT_EQ(world.find(plan, "align/anna").params, world.find(plan, "align/cleo").params);
}

TEST(Sharing, OpensAnInputOnceForItsPath) {
  PlanWorld world;
  world.batch.customers[2].inputs["photos"] = "/night/ben";
  EXPECT_EQ(world.plan().inputs.size(), 3u);
}

TEST(Sharing, KeepsApartWhatNamesTheCustomer) {
  PlanWorld world;
  world.put_photo("cleo", "a.txt", "ben");
  world.batch.pipeline = PipelineBuilder(world.registry, "names")
                             .input("photos", "texts")
                             .step("load", "read", {{"files", {"photos"}}})
                             .step("sign", "shout", {{"text", {"load"}}}, {{"mark", "by ${customer}"}})
                             .build();
  const Plan plan = world.plan({"ben", "cleo"});
  EXPECT_EQ(count_of(world, plan, "load"), 1u);
  EXPECT_EQ(count_of(world, plan, "sign"), 2u);
  EXPECT_EQ(world.find(plan, "sign/cleo").params->text("mark"), "by cleo");
}

}  // namespace
}  // namespace atelier
