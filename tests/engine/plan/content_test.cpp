// Content that was dropped, and what is never stored.
#include "plan/content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan_world.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Content, IsMadeAgainForAReaderThatRuns) {
  PlanWorld world;
  world.run({"ben"});
  world.set("times", 2);
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan({"ben"})),
              ElementsAre("run load/ben: content needed by align", "run align/ben: params changed: times 1 -> 2",
                          "wait train/ben: waits for align", "wait model/ben: waits for train",
                          "wait pictures/ben: waits for model", "wait output lora/ben: waits for train",
                          "wait output pictures/ben: waits for pictures"));
  EXPECT_THAT(world.run({"ben"}), ElementsAre("load/ben", "align/ben", "train/ben", "model/ben", "pictures/ben",
                                              "output lora/ben", "output pictures/ben"));
}

TEST(Content, IsNotMadeAgainForNobody) {
  PlanWorld world;
  world.run();
  for (const auto& task : world.plan().tasks)
    if (task.key) world.store.drop(*task.key);
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan()), IsEmpty());
}

TEST(Content, IsMadeAgainDownToTheInputs) {
  PlanWorld world;
  world.run({"ben"});
  const Plan before = world.plan({"ben"});
  world.store.drop(*world.find(before, "align/ben").key);
  world.store.drop(*world.find(before, "train/ben").key);
  ASSERT_TRUE(world.files.remove_all("/out/ben/ben.txt").has_value());
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan({"ben"})),
              ElementsAre("run load/ben: content needed by align", "run align/ben: content needed by train",
                          "run train/ben: content needed by output lora", "run output lora/ben: missing"));
  EXPECT_THAT(world.run({"ben"}), ElementsAre("load/ben", "align/ben", "train/ben", "output lora/ben"));
}

TEST(Content, ThatIsStillThereIsReadAgain) {
  PlanWorld world;
  world.cut_off_at = "align/ben";  // before anything is dropped
  world.run({"ben"});
  world.cut_off_at.clear();
  EXPECT_EQ(world.find(world.plan({"ben"}), "load/ben").action, Action::reuse);
}

TEST(Content, OfARecipeIsWhatTheRecipeReads) {
  PlanWorld world;
  world.run({"ben"});
  const Plan before = world.plan({"ben"});
  EXPECT_FALSE(world.store.has(*world.find(before, "model/ben").key));
  world.store.drop(*world.find(before, "train/ben").key);
  ASSERT_TRUE(world.store.has(*world.find(before, "look").key));
  world.store.drop(*world.find(before, "pictures/ben").key);
  ASSERT_TRUE(world.files.remove_all("/out/ben/pictures").has_value());
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan({"ben"})),
              ElementsAre("run train/ben: content needed by pictures",
                          "run pictures/ben: content needed by output pictures", "run output pictures/ben: missing"));
  EXPECT_THAT(world.run({"ben"}), ElementsAre("train/ben", "pictures/ben", "output pictures/ben"));
}

TEST(Content, IsReadByWhoeverReadsARecipeOfIt) {
  PlanWorld world;
  const Plan plan = world.plan({"ben"});
  const auto id = [&](const std::string& name) { return world.find(plan, name).id; };
  EXPECT_THAT(content_readers(plan, world.batch, id("train/ben")),
              ElementsAre(id("model/ben"), id("pictures/ben"), id("output lora/ben")));
  EXPECT_THAT(content_readers(plan, world.batch, id("load/ben")), ElementsAre(id("align/ben")));
  EXPECT_THAT(content_sources(plan, world.batch, id("pictures/ben")), ElementsAre(id("train/ben"), id("look")));
}

TEST(Content, ThatGotLostMeanwhileIsToldByResolve) {
  PlanWorld world;
  world.cut_off_at = "pictures/ben";
  world.run({"ben"});
  const Plan plan = world.plan({"ben"});
  ASSERT_EQ(world.find(plan, "pictures/ben").action, Action::run);
  world.store.drop(*world.find(plan, "train/ben").key);  // after planning
  const FinishedRecord finished = [&](TaskId id) { return plan.task(id).record.get(); };
  const auto resolution =
      resolve(plan, world.batch, world.out, world.find(plan, "pictures/ben").id, finished, world.seams());
  EXPECT_EQ(resolution.action, Action::run);
  EXPECT_THAT(resolution.missing, ElementsAre(world.find(plan, "train/ben").id));
  EXPECT_EQ(world.find(world.plan({"ben"}), "train/ben").reason, "content needed by pictures");  // the next wave
}

TEST(Content, ThatAnotherProcessMadeMeanwhileIsReused) {
  PlanWorld world;
  world.run({"ben"});
  world.set("times", 2);
  const Plan plan = world.plan({"ben"});
  const Task& load = world.find(plan, "load/ben");
  ASSERT_EQ(load.action, Action::run);
  ASSERT_TRUE(world.store.put(*load.key, {{"text", text_artifact("ben")}}, {}).has_value());
  const FinishedRecord nothing = [](TaskId) -> const Record* { return nullptr; };
  const auto resolution = resolve(plan, world.batch, world.out, load.id, nothing, world.seams());
  EXPECT_EQ(resolution.action, Action::reuse);
}

TEST(Content, OfATaskThatIsNotDecidedYetIsAFault) {
  PlanWorld world;
  const Plan plan = world.plan({"ben"});
  const FinishedRecord nothing = [](TaskId) -> const Record* { return nullptr; };
  EXPECT_THROW(resolve(plan, world.batch, world.out, world.find(plan, "align/ben").id, nothing, world.seams()), Fault);
}

}  // namespace
}  // namespace atelier
