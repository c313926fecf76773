#include "plan/output_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan_world.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> not_reused(PlanWorld& world) { return world.lines_not(Action::reuse, world.plan({"ben"})); }

TEST(OutputState, IsMissingWhereTheFileIsGone) {
  PlanWorld world;
  world.run({"ben"});
  ASSERT_TRUE(world.files.remove_all("/out/ben/ben.txt").has_value());
  EXPECT_THAT(not_reused(world), ElementsAre("run output lora/ben: missing"));
  EXPECT_THAT(world.run({"ben"}), ElementsAre("output lora/ben"));
  EXPECT_THAT(not_reused(world), IsEmpty());
}

TEST(OutputState, IsAlteredWhereTheFileIsAnother) {
  PlanWorld world;
  world.run({"ben"});
  world.files.put("/out/ben/ben.txt", "a stranger's");
  EXPECT_THAT(not_reused(world), ElementsAre("run output lora/ben: altered"));
}

TEST(OutputState, IsAlteredWhereAFolderHasAFileMore) {
  PlanWorld world;
  world.run({"ben"});
  world.files.put("/out/ben/pictures/extra.txt", "");
  EXPECT_THAT(not_reused(world), ElementsAre("run output pictures/ben: altered"));
}

TEST(OutputState, IsUpToDateAfterATouch) {
  PlanWorld world;
  world.run({"ben"});
  world.files.touch("/out/ben/ben.txt");
  EXPECT_THAT(not_reused(world), IsEmpty());
}

TEST(OutputState, IsSourceChangedWhereTheArtifactIsAnother) {
  PlanWorld world;
  world.run({"ben"});
  world.set("steps", 80);
  world.run({"ben"});
  world.batch.set.clear();  // back to what the cache has
  const Plan plan = world.plan({"ben"});
  EXPECT_EQ(world.lines(plan)[7], "run output lora/ben: source changed");
}

TEST(OutputState, IsNewInAnotherFolder) {
  PlanWorld world;
  world.run({"ben"});
  world.out = "/elsewhere";
  EXPECT_THAT(not_reused(world),
              ElementsAre("run output lora/ben: new", "run output pictures/ben: new", "run output look: new"));
}

TEST(OutputState, NamesAPlaceWithoutItsSlash) {
  EXPECT_EQ(output_location("/out", "anna/model/"), "/out/anna/model");
  EXPECT_EQ(output_location("/out/", "anna/../style.txt"), "/out/style.txt");
}

TEST(OutputState, CountsWhatCannotBeReadAsAltered) {
  PlanWorld world;
  world.run({"ben"});
  world.files.touch("/out/ben/ben.txt");
  world.files.fail_next("/out/ben/ben.txt", {ErrorKind::transient, "disk"});
  EXPECT_THAT(not_reused(world), ElementsAre("run output lora/ben: altered"));
}

}  // namespace
}  // namespace atelier
