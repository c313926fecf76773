#include "plan/expectation.h"

#include <gtest/gtest.h>

#include "plan_world.h"

namespace atelier {
namespace {

class ExpectationOfANight : public ::testing::Test {
 protected:
  // As an earlier run measured the task of tonight's plan with this name.
  void measure(const Plan& plan, const std::string& name, double seconds, std::uint64_t bytes) {
    const Task& task = world.find(plan, name);
    Record record;
    record.node = spec_of(plan, world.batch, task.id)->name;
    record.cost_s = seconds;
    for (const auto& port : spec_of(plan, world.batch, task.id)->outputs) record.outputs[port.name] = {{}, bytes};
    record.provenance = {{"device", "cuda:0"}};
    if (spec_of(plan, world.batch, task.id)->place == Place::cpu) record.provenance["device"] = "cpu";
    record.provenance.update(cost_traits(plan, world.batch, task.id));
    measured.add(record);
  }
  Expectation expect(const Plan& plan) const {
    CostsOfTasks costs(plan, world.batch, measured, "cuda");
    return expectation_of(plan, world.batch, costs);
  }
  PlanWorld world;
  MeasuredCosts measured;
};

TEST_F(ExpectationOfANight, SumsUpWhatEarlierRunsMeasured) {
  const Plan plan = world.plan();
  measure(plan, "train/anna", 3600, 50'000'000);
  measure(plan, "load/anna", 2, 9'000'000);
  measure(plan, "align/anna", 3, 1'000'000);
  measure(plan, "pictures/anna", 60, 2'000'000);
  measure(plan, "model/anna", 1, 0);
  EXPECT_EQ(expectation_text(expect(plan)),
            "expected: 4 h 0 min on devices (4 tasks), 3 min 20 s on the CPU (20 tasks)\n"
            "disk: 209 MB more in the cache and at most 36.0 MB in passing, 206 MB of outputs\n"
            "\n"
            "SHARED      TASKS  CUSTOMERS  SAVES\n"
            "style_load  1      3          4.0 s\n"
            "look        1      3          2 h 0 min\n");
}

TEST_F(ExpectationOfANight, SaysWhatIsOnlyGuessedAndWhatHasNoSize) {
  const Plan plan = world.plan();
  measure(plan, "align/anna", 3, 1'000'000);
  EXPECT_EQ(
      expectation_text(expect(plan)),
      "expected: 4.0 s on devices (4 tasks, 4 of them guessed), 19.4 s on the CPU (20 tasks, 10 of them guessed)\n"
      "disk: 3.0 MB more in the cache, 0 B of outputs; without 18 tasks that no earlier run measured\n"
      "\n"
      "SHARED      TASKS  CUSTOMERS  SAVES\n"
      "style_load  1      3          2.0 s\n"
      "look        1      3          2.0 s\n");
}

TEST_F(ExpectationOfANight, CountsNoTaskThatIsReused) {
  world.run();
  const Expectation nothing = expect(world.plan());
  EXPECT_EQ(nothing.devices.tasks + nothing.cpu.tasks, 0U);
  EXPECT_EQ(expectation_text(nothing),
            "SHARED      TASKS  CUSTOMERS  SAVES\n"
            "style_load  1      3          -\n"
            "look        1      3          -\n");
  world.set("person_weight", 0.8);
  const Expectation some = expect(world.plan());
  EXPECT_EQ(some.devices.tasks, 0U);
  EXPECT_EQ(some.cpu.tasks, 9U) << "models, pictures and their outputs";
}

TEST_F(ExpectationOfANight, SharesNothingWhereThereIsOneCustomer) {
  const Expectation expected = expect(world.plan({"anna"}));
  EXPECT_TRUE(expected.shared.empty());
  EXPECT_EQ(expectation_text(expected).find("SHARED"), std::string::npos);
}

TEST_F(ExpectationOfANight, CountsNothingThatIsSkipped) {
  ASSERT_TRUE(world.files.remove_all("/night/cleo").has_value());
  const Expectation expected = expect(world.plan());
  EXPECT_EQ(expected.devices.tasks, 3U);
}

TEST_F(ExpectationOfANight, AsJsonHoldsTheSameFigures) {
  const Plan plan = world.plan();
  measure(plan, "train/anna", 3600, 50'000'000);
  const auto json = expectation_json(expect(plan));
  EXPECT_EQ(json["devices"], nlohmann::json({{"tasks", 4}, {"guessed", 0}, {"seconds", 14400.0}}));
  EXPECT_EQ(json["cache"], nlohmann::json({{"bytes", 200'000'000}, {"unknown", 6}}));
  EXPECT_EQ(json["meanwhile"], nlohmann::json({{"bytes", 0}, {"unknown", 4}}));
  EXPECT_EQ(json["shared"][1],
            nlohmann::json({{"step", "look"}, {"tasks", 1}, {"customers", 3}, {"saved_seconds", 7200.0}}));
}

}  // namespace
}  // namespace atelier
