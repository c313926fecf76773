#include "plan/explanation.h"

#include <gtest/gtest.h>

#include "plan_world.h"

namespace atelier {
namespace {

class ExplanationOfATask : public ::testing::Test {
 protected:
  std::string text(const std::string& name) {
    const Plan plan = world.plan();
    const auto named = task_named(plan, world.batch, name);
    return named ? explanation_text(explain(plan, world.batch, *named, world.ledger)) : named.error().message + '\n';
  }
  nlohmann::json json(const std::string& name) {
    const Plan plan = world.plan();
    return explanation_json(explain(plan, world.batch, task_named(plan, world.batch, name).value(), world.ledger));
  }
  PlanWorld world;
};

TEST_F(ExplanationOfATask, SaysOfANewOneThatItWasNeverDone) {
  EXPECT_EQ(text("load/anna"),
            "load/anna (read) would run: new\n"
            "  no run of this batch has done load for anna before\n");
  EXPECT_EQ(text("look"),
            "look (learn) would wait: new\n"
            "  no run of this batch has done look for the batch before\n"
            "  what feeds it:\n"
            "    style_load would run: new\n");
}

TEST_F(ExplanationOfATask, NamesEveryParamThatChanged) {
  world.run();
  world.set("steps", 80);
  EXPECT_EQ(text("train/anna"),
            "train/anna (learn) would run: params changed: steps 60 -> 80\n"
            "  since its latest run:\n"
            "    param steps: 60 -> 80\n");
  world.set("person_weight", 0.8);
  EXPECT_EQ(text("model/ben"),
            "model/ben (blend) would wait: params changed: weights [0.6, 0.9] -> [0.6, 0.8]\n"
            "  since its latest run:\n"
            "    param weights: [0.6, 0.9] -> [0.6, 0.8]\n"
            "  what feeds it:\n"
            "    style_load would run: content needed by look\n"
            "    look would run: params changed: steps 60 -> 80\n"
            "      param steps: 60 -> 80\n"
            "    train/ben would run: params changed: steps 60 -> 80\n"
            "      param steps: 60 -> 80\n");
}

TEST_F(ExplanationOfATask, NamesEveryFileThatIsNewGoneOrChanged) {
  for (const char* name : {"c.txt", "d.txt", "e.txt", "f.txt"}) world.put_photo("anna", name, name);
  world.run();
  for (const char* name : {"b.txt", "c.txt", "d.txt"}) world.put_photo("anna", name, "another");
  world.put_photo("anna", "z.txt", "new");
  ASSERT_TRUE(world.files.remove_all("/night/anna/e.txt").has_value());
  EXPECT_EQ(text("load/anna"),
            "load/anna (read) would run: input changed: files (b.txt, c.txt, d.txt and 2 more)\n"
            "  since its latest run:\n"
            "    input files: b.txt has changed\n"
            "    input files: c.txt has changed\n"
            "    input files: d.txt has changed\n"
            "    input files: z.txt is new\n"
            "    input files: e.txt is gone\n");
}

TEST_F(ExplanationOfATask, GoesBackToWhatFeedsIt) {
  world.run();
  world.put_photo("anna", "b.txt", "another");
  EXPECT_EQ(text("output pictures/anna"),
            "output pictures/anna would wait: waits for pictures\n"
            "  written to anna/pictures/\n"
            "  what feeds it:\n"
            "    load/anna would run: input changed: files (b.txt)\n"
            "      input files: b.txt has changed\n");
  EXPECT_EQ(text("train/anna"),
            "train/anna (learn) would wait: waits for align\n"
            "  nothing that is known differs from its latest run\n"
            "  what feeds it:\n"
            "    load/anna would run: input changed: files (b.txt)\n"
            "      input files: b.txt has changed\n");
}

// A run that was cut off made it.
TEST_F(ExplanationOfATask, SaysWhichStepCameOutDifferent) {
  world.run();
  world.put_photo("anna", "b.txt", "another");
  world.cut_off_at = "train/anna";
  world.run();
  world.cut_off_at.clear();
  EXPECT_EQ(text("train/anna"),
            "train/anna (learn) would run: input changed: texts\n"
            "  since its latest run:\n"
            "    input texts[0]: what align makes has changed\n");
}

TEST_F(ExplanationOfATask, SaysWhatMadeOneThatIsReused) {
  world.run();
  const Plan plan = world.plan();
  Record record = world.ledger.find(*world.find(plan, "train/anna").key).value();
  record.cost_s = 200;
  record.provenance = {{"run", "20261130T220000Z-1"}, {"device", "cuda:1"}};
  ASSERT_TRUE(world.ledger.commit(record, {}).has_value());
  EXPECT_EQ(text("train/anna"),
            "train/anna (learn) would be reused: reused\n"
            "  nothing that is known differs from its latest run\n"
            "  made by run 20261130T220000Z-1 on cuda:1 in 3 min 20 s\n");
  EXPECT_EQ(json("train/anna")["made"],
            nlohmann::json({{"run", "20261130T220000Z-1"}, {"device", "cuda:1"}, {"seconds", 200.0}}));
}

TEST_F(ExplanationOfATask, SaysWhyOneIsSkipped) {
  ASSERT_TRUE(world.files.remove_all("/night/cleo").has_value());
  EXPECT_EQ(text("align/cleo"),
            "align/cleo (shout) would be skipped: input 'photos': /night/cleo: No such file or directory\n"
            "  no run of this batch has done align for cleo before\n"
            "  what feeds it:\n"
            "    load/cleo would be skipped: input 'photos': /night/cleo: No such file or directory\n");
}

TEST_F(ExplanationOfATask, TellsANewVersionOfTheNode) {
  world.run();
  world.raise_version("learn");
  EXPECT_EQ(text("train/ben"),
            "train/ben (learn) would run: node version 1 -> 2\n"
            "  since its latest run:\n"
            "    node version: 1 -> 2\n");
}

TEST_F(ExplanationOfATask, AsJsonHoldsWhatChanged) {
  world.run();
  world.set("steps", 80);
  world.put_photo("anna", "b.txt", "another");
  world.put_photo("anna", "z.txt", "new");
  const auto told = json("train/anna");
  EXPECT_EQ(told["action"], "wait");
  EXPECT_EQ(told["customer"], "anna");
  EXPECT_EQ(told["node"], "learn");
  EXPECT_EQ(told["since"]["ran_before"], true);
  EXPECT_EQ(told["since"]["params"], nlohmann::json::array({{{"name", "steps"}, {"before", 60}, {"now", 80}}}));
  EXPECT_EQ(told["causes"][0]["task"], "load/anna");
  EXPECT_EQ(told["causes"][0]["since"]["inputs"],
            nlohmann::json::array(
                {{{"name", "files"}, {"changed", {"b.txt"}}, {"new", {"z.txt"}}, {"gone", nlohmann::json::array()}}}));
  const auto output = json("output look");
  EXPECT_EQ(output["path"], "style.txt");
  EXPECT_EQ(output["customer"], nullptr);
  EXPECT_FALSE(output.contains("node"));
}

TEST_F(ExplanationOfATask, NamesATaskThatSeveralShareByAnyOfThem) {
  world.put_photo("ben", "a.txt", "cleo");
  const Plan plan = world.plan();
  const auto ben = task_named(plan, world.batch, "load/ben").value(),
             cleo = task_named(plan, world.batch, "load/cleo").value();
  EXPECT_EQ(ben.id, cleo.id);
  EXPECT_NE(ben.row, cleo.row);
  EXPECT_EQ(task_named(plan, world.batch, "load/ben+1").value().id, ben.id);
  EXPECT_EQ(task_named(plan, world.batch, "look/anna").value().id, task_named(plan, world.batch, "look").value().id);
}

TEST_F(ExplanationOfATask, NeedsNoModuleInAStepsNameWhereThereIsOneSuchStep) {
  world.batch.pipeline = PipelineBuilder(world.registry, "modules")
                             .input("photos", "texts")
                             .step("load", "read", {{"files", {"photos"}}})
                             .step("one", "shout", {{"text", {"load"}}}, {{"times", 1}})
                             .step("other", "shout", {{"text", {"one"}}}, {{"times", 2}})
                             .build();
  world.batch.pipeline.steps[0].name = "set.load";
  world.batch.pipeline.steps[1].name = "set.align";
  world.batch.pipeline.steps[2].name = "again.align";
  const Plan plan = world.plan();
  EXPECT_EQ(task_named(plan, world.batch, "load/anna").value().id, world.find(plan, "set.load/anna").id);
  EXPECT_EQ(text("laod/anna"), "the plan has no task 'laod/anna'; did you mean 'load/anna'?\n");
  EXPECT_EQ(text("align/anna"), "the plan has no task 'align/anna'\n") << "there are two";
}

TEST_F(ExplanationOfATask, FindsTheNearestNameToAWrongOne) {
  EXPECT_EQ(text("tran/anna"), "the plan has no task 'tran/anna'; did you mean 'train/anna'?\n");
  EXPECT_EQ(text("train/ana"), "the plan has no task 'train/ana'; did you mean 'train/anna'?\n");
  EXPECT_EQ(text("output lora/bne"), "the plan has no task 'output lora/bne'; did you mean 'output lora/ben'?\n");
  EXPECT_EQ(text("lok"), "the plan has no task 'lok'; did you mean 'look'?\n");
  EXPECT_EQ(text("look/nobody"), "the plan has no task 'look/nobody'\n");
  EXPECT_EQ(text("train"), "'train' is a task of each customer: name one, as train/anna, train/ben and 1 more\n");
}

}  // namespace
}  // namespace atelier
