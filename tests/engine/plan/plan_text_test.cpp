#include "plan/plan_text.h"

#include <gtest/gtest.h>

#include "plan_world.h"

namespace atelier {
namespace {

TEST(PlanText, IsATableAndItsCounts) {
  PlanWorld world;
  world.run();
  world.set("person_weight", 0.8);
  EXPECT_EQ(plan_text(world.plan(), world.batch),
            "ACTION  TASK             CUSTOMERS        REASON\n"
            "reuse   load             anna, ben, cleo  reused\n"
            "reuse   align            anna, ben, cleo  reused\n"
            "reuse   train            anna, ben, cleo  reused\n"
            "reuse   style_load       the batch        reused\n"
            "reuse   look             the batch        reused\n"
            "run     model            anna, ben, cleo  params changed: weights [0.6, 0.9] -> [0.6, 0.8]\n"
            "wait    pictures         anna, ben, cleo  waits for model\n"
            "reuse   output lora      anna, ben, cleo  up to date\n"
            "wait    output pictures  anna, ben, cleo  waits for pictures\n"
            "reuse   output look      the batch        up to date\n"
            "\n"
            "24 tasks: 3 run, 15 reuse, 6 wait\n"
            "\n"
            "NODE      TASKS  ACTION  REASON\n"
            "read      4      reuse   reused\n"
            "shout     3      reuse   reused\n"
            "learn     4      reuse   reused\n"
            "blend     3      run     params changed: weights [0.6, 0.9] -> [0.6, 0.8]\n"
            "render    3      wait    inputs not known yet\n"
            "(output)  4      reuse   up to date\n"
            "(output)  3      wait    inputs not known yet\n");
}

TEST(PlanText, TellsCustomersApartByReason) {
  PlanWorld world;
  for (const char* id : {"dora", "emil", "fay"}) world.add_customer(id, {{"a.txt", id}});
  world.run({"anna", "ben", "cleo", "dora", "emil"});
  world.put_photo("emil", "a.txt", "another emil");
  const std::string text = plan_text(world.plan(), world.batch);
  EXPECT_NE(text.find("reuse   load             anna, ben, cleo, dora  reused\n"
                      "run     load             emil                   input changed: files (a.txt)\n"
                      "run     load             fay                    new\n"),
            std::string::npos)
      << text;
}

TEST(PlanText, NamesAFewCustomersAndCountsTheRest) {
  PlanWorld world;
  for (const char* id : {"dora", "emil", "fay"}) world.add_customer(id, {{"a.txt", id}});
  const std::string text = plan_text(world.plan(), world.batch);
  EXPECT_NE(text.find("run     load             anna, ben, cleo, dora and 2 more  new\n"), std::string::npos) << text;
}

TEST(PlanText, LeavesOutActionsThatNoTaskHas) {
  EXPECT_EQ(counts_text({{1, 0, 0, 0}}), "1 task: 1 run");
  EXPECT_EQ(counts_text({{2, 14, 3, 7}}), "26 tasks: 2 run, 14 reuse, 3 wait, 7 skip");
  EXPECT_EQ(counts_text({}), "0 tasks");
}

TEST(PlanText, AsJsonHoldsEveryTask) {
  PlanWorld world;
  world.run({"ben"});
  ASSERT_TRUE(world.files.remove_all("/night/cleo").has_value());
  const Plan plan = world.plan({"ben", "cleo"});
  const auto json = plan_json(plan, world.batch);
  EXPECT_EQ(json["batch"], "/night/batch.yaml");
  EXPECT_EQ(json["pipeline"], "portrait");
  EXPECT_EQ(json["customers"], nlohmann::json({"ben", "cleo"}));
  EXPECT_EQ(json["counts"], nlohmann::json({{"tasks", 17}, {"run", 0}, {"reuse", 10}, {"wait", 0}, {"skip", 7}}));
  EXPECT_EQ(json["inputs"][2],
            nlohmann::json(
                {{"name", "photos"}, {"path", "/night/cleo"}, {"error", "/night/cleo: No such file or directory"}}));
  const Task& pictures = world.find(plan, "pictures/ben");
  EXPECT_EQ(json["tasks"][index_of(pictures.id)],
            nlohmann::json({{"id", index_of(pictures.id)},
                            {"task", "pictures/ben"},
                            {"step", "pictures"},
                            {"node", "render"},
                            {"customers", {"ben"}},
                            {"for_batch", false},
                            {"action", "reuse"},
                            {"reason", "reused"},
                            {"key", pictures.key->hex()},
                            {"recipe", pictures.key->hex()},
                            {"after", {index_of(world.find(plan, "model/ben").id)}}}));
  const Task& lora = world.find(plan, "output lora/cleo");
  EXPECT_EQ(json["tasks"][index_of(lora.id)],
            nlohmann::json({{"id", index_of(lora.id)},
                            {"task", "output lora/cleo"},
                            {"output", "lora"},
                            {"path", "cleo/cleo.txt"},
                            {"customers", {"cleo"}},
                            {"for_batch", false},
                            {"action", "skip"},
                            {"reason", "input 'photos': /night/cleo: No such file or directory"},
                            {"key", nullptr},
                            {"recipe", lora.recipe.hex()},
                            {"after", {index_of(world.find(plan, "train/cleo").id)}}}));
}

}  // namespace
}  // namespace atelier
