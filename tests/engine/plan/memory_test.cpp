#include "plan/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan_world.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> names(const StepMemories& memories) {
  std::vector<std::string> all;
  for (const auto& [customer, step, memory] : memories) all.push_back(customer + "/" + step);
  return all;
}

StepMemories of_finished(PlanWorld& world, const Plan& plan) {
  const FinishedRecord finished = [&](TaskId id) { return plan.task(id).record.get(); };
  return memories_of(plan, world.batch, finished, world.ledger);
}

TEST(Memory, HoldsWhatEveryStepDidForEveryCustomer) {
  PlanWorld world;
  world.run({"ben"});
  const auto memory = world.ledger.last_step(batch_place(world.batch), "ben", "train").value();
  const Plan plan = world.plan({"ben"});
  EXPECT_EQ(memory.key, world.find(plan, "train/ben").key);
  EXPECT_EQ(memory.node_version, 1);
  EXPECT_EQ(memory.params, nlohmann::json({{"steps", 60}, {"seed", 0}}));  // what enters the key, no more
  const Digest read = world.find(plan, "align/ben").record->outputs.at("text").digest;
  EXPECT_THAT(memory.inputs, ElementsAre(std::pair<const std::string, std::string>("texts[0]", read.hex())));
}

TEST(Memory, HoldsTheFilesOfAnInput) {
  PlanWorld world;
  world.run({"anna"});
  const auto memory = world.ledger.last_step(batch_place(world.batch), "anna", "load").value();
  EXPECT_EQ(memory.inputs.at("files/a.txt"), sha256("anna 1").hex());
  EXPECT_EQ(memory.inputs.at("files/b.txt"), sha256("anna 2").hex());
  EXPECT_TRUE(memory.inputs.contains("files"));
}

TEST(Memory, OfWhatTheBatchSharesBelongsToNoCustomer) {
  PlanWorld world;
  world.run();
  EXPECT_TRUE(world.ledger.last_step(batch_place(world.batch), "", "look").has_value());
  EXPECT_FALSE(world.ledger.last_step(batch_place(world.batch), "ben", "look").has_value());
}

TEST(Memory, IsNotWrittenAgainWhereNothingChanged) {
  PlanWorld world;
  world.run({"ben"});
  EXPECT_THAT(of_finished(world, world.plan({"ben"})), IsEmpty());
}

// The latest run is what counts, also where it only reused.
TEST(Memory, FollowsAStepBackToWhatItWas) {
  PlanWorld world;
  world.run({"ben"});
  world.set("person_weight", 0.8);
  world.run({"ben"});
  world.set("person_weight", 0.9);
  const Plan plan = world.plan({"ben"});
  EXPECT_EQ(names(of_finished(world, plan)), (std::vector<std::string>{"ben/model", "ben/pictures"}));
  world.execute(plan);
  world.set("person_weight", 0.7);
  EXPECT_EQ(world.find(world.plan({"ben"}), "model/ben").reason, "params changed: weights [0.6, 0.9] -> [0.6, 0.7]");
}

TEST(Memory, NamesTheOwnersOfAKey) {
  PlanWorld world;
  world.put_photo("cleo", "a.txt", "ben");
  const Plan plan = world.plan();
  const std::string place = batch_place(world.batch);
  EXPECT_THAT(owners_of(plan, world.batch, world.find(plan, "look").id), ElementsAre(""));
  EXPECT_THAT(owners_of(plan, world.batch, world.find(plan, "train/anna").id), ElementsAre("anna@" + place));
  EXPECT_THAT(owners_of(plan, world.batch, world.find(plan, "train/ben+1").id),
              ElementsAre("ben@" + place, "cleo@" + place));
}

TEST(Memory, TellsBatchesApartByTheirFile) {
  Batch one, other;
  one.file = "/night/batch.yaml";
  other.file = "/night/sub/../batch.yaml";
  EXPECT_EQ(batch_place(one), batch_place(other));
  other.file = "/day/batch.yaml";
  EXPECT_NE(batch_place(one), batch_place(other));
}

}  // namespace
}  // namespace atelier
