// What a change re-runs and what it does not, told by the plan beforehand and seen in what ran.
#include "plan/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "plan_world.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Planner, KnowsOnTheFirstNightOnlyTheKeysOfWhatReadsInputs) {
  PlanWorld world;
  EXPECT_THAT(world.lines(world.plan({"anna"})),
              ElementsAre("run load/anna: new", "wait align/anna: new", "wait train/anna: new", "run style_load: new",
                          "wait look: new", "wait model/anna: new", "wait pictures/anna: new",
                          "wait output lora/anna: new", "wait output pictures/anna: new", "wait output look: new"));
}

TEST(Planner, ReusesEverythingOfAFinishedNight) {
  PlanWorld world;
  world.run();
  EXPECT_THAT(world.lines(world.plan({"anna"})),
              ElementsAre("reuse load/anna: reused", "reuse align/anna: reused", "reuse train/anna: reused",
                          "reuse style_load: reused", "reuse look: reused", "reuse model/anna: reused",
                          "reuse pictures/anna: reused", "reuse output lora/anna: up to date",
                          "reuse output pictures/anna: up to date", "reuse output look: up to date"));
  EXPECT_THAT(world.run(), IsEmpty());
}

TEST(Planner, RunsOnlyTheChainBelowAChangedParam) {
  PlanWorld world;
  world.run({"anna"});
  world.set("person_weight", 0.8);
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan({"anna"})),
              ElementsAre("run model/anna: params changed: weights [0.6, 0.9] -> [0.6, 0.8]",
                          "wait pictures/anna: waits for model", "wait output pictures/anna: waits for pictures"));
  EXPECT_THAT(world.run({"anna"}), ElementsAre("model/anna", "pictures/anna", "output pictures/anna"));
}

TEST(Planner, RunsTheWholeChainBelowAChangedTraining) {
  PlanWorld world;
  world.run({"anna"});
  world.set("steps", 80);
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan({"anna"})),
              ElementsAre("run train/anna: params changed: steps 60 -> 80", "run style_load: content needed by look",
                          "run look: params changed: steps 60 -> 80", "wait model/anna: waits for look, train",
                          "wait pictures/anna: waits for model", "wait output lora/anna: waits for train",
                          "wait output pictures/anna: waits for pictures", "wait output look: waits for look"));
}

TEST(Planner, RunsOnlyTheChainOfTheCustomerWhosePhotoChanged) {
  PlanWorld world;
  world.run();
  world.put_photo("anna", "b.txt", "anna 2, retouched");
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan()),
              ElementsAre("run load/anna: input changed: files (b.txt)", "wait align/anna: waits for load",
                          "wait train/anna: waits for align", "wait model/anna: waits for train",
                          "wait pictures/anna: waits for model", "wait output lora/anna: waits for train",
                          "wait output pictures/anna: waits for pictures"));
  EXPECT_THAT(world.run(), ElementsAre("load/anna", "align/anna", "train/anna", "model/anna", "pictures/anna",
                                       "output lora/anna", "output pictures/anna"));
}

TEST(Planner, RunsNothingAfterATouch) {
  PlanWorld world;
  world.run();
  world.files.touch("/night/anna/a.txt");
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan()), IsEmpty());
}

// Neither names nor places nor how a task is executed are part of what it makes.
TEST(Planner, FindsTheSameWorkUnderOtherNames) {
  PlanWorld world;
  world.run({"ben"});
  world.batch.file = "/tomorrow/batch.yaml";
  world.batch.pipeline.name = "likeness";
  for (auto& step : world.batch.pipeline.steps) step.name = "my_" + step.name;
  auto& train = world.batch.pipeline.steps[2];
  train.params.push_back({train.node->spec().param("checkpoint_every"), {Value(7), {}, {}, false}, {}});
  world.batch.customers[1].id = "benjamin";
  world.batch.customers[1].inputs["photos"] = "/moved";
  world.files.put("/moved/a.txt", "ben");
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan({"benjamin"})),
              ElementsAre("run output lora/benjamin: new", "run output pictures/benjamin: new"));
}

TEST(Planner, StopsWhereARebuiltInputComesOutTheSame) {
  PlanWorld world;
  world.result_of_step["load"] = "the same pixels";
  world.run({"ben"});
  world.put_photo("ben", "a.txt", "ben, in another format");
  const Plan plan = world.plan({"ben"});
  EXPECT_EQ(world.find(plan, "align/ben").action, Action::wait);
  EXPECT_THAT(world.execute(plan), ElementsAre("load/ben"));
}

TEST(Planner, GivesEqualKeysWhateverTheOrderOfCustomers) {
  PlanWorld world, turned;
  std::ranges::reverse(turned.batch.customers);
  world.run();
  turned.run();
  const Plan plan = world.plan(), other = turned.plan();
  std::map<std::string, Digest> keys, others;
  for (const auto& task : plan.tasks) keys[display_name(plan, world.batch, task.id)] = task.recipe;
  for (const auto& task : other.tasks) others[display_name(other, turned.batch, task.id)] = task.recipe;
  EXPECT_EQ(keys, others);
}

TEST(Planner, LeavesOutCustomersThatWereNotAskedFor) {
  PlanWorld world;
  const Plan plan = world.plan({"cleo"});
  EXPECT_THAT(plan.by_customer[0], IsEmpty());
  EXPECT_THAT(plan.by_customer[1], IsEmpty());
  EXPECT_EQ(plan.by_customer[2].size(), 9u);   // her seven steps, two of them the batch's, and two outputs
  EXPECT_EQ(world.run({"cleo"}).size(), 10u);  // and the batch's own output
}

TEST(Planner, RefusesToPlanForAStranger) {
  PlanWorld world;
  const auto plan = make_plan(world.batch, {"/out", {"anna", "bem"}, {}}, world.seams());
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().message, "--only: the batch has no customer 'bem'; did you mean 'ben'?");
  const auto far = make_plan(world.batch, {"/out", {"zoltan"}, {}}, world.seams());
  EXPECT_EQ(far.error().message, "--only: the batch has no customer 'zoltan'");
}

TEST(Planner, RunsANodeAgainWhoseVersionWasRaised) {
  PlanWorld world;
  world.run({"ben"});
  world.raise_version("blend");
  EXPECT_THAT(world.lines_not(Action::reuse, world.plan({"ben"})),
              ElementsAre("run model/ben: node version 1 -> 2", "wait pictures/ben: waits for model",
                          "wait output pictures/ben: waits for pictures"));
}

TEST(Planner, TellsSeveralReasonsAtOnce) {
  PlanWorld world;
  world.run({"anna"});
  world.raise_version("read");
  world.put_photo("anna", "b.txt", "anna 2, retouched");
  world.put_photo("anna", "c.txt", "anna 3");
  EXPECT_EQ(world.find(world.plan({"anna"}), "load/anna").reason,
            "node version 1 -> 2; input changed: files (b.txt, +c.txt)");
}

TEST(Planner, GoesOnWithATrainingThatWasCutOff) {
  PlanWorld world;
  world.cut_off_at = "train/ben";
  world.run({"ben"});
  const Plan cut = world.plan({"ben"});
  EXPECT_EQ(world.find(cut, "train/ben").reason, "new");
  Artifact checkpoint;
  checkpoint.metadata = {{"step", 40}};
  ASSERT_TRUE(world.store.put_checkpoint(*world.find(cut, "train/ben").key, checkpoint).has_value());
  EXPECT_EQ(world.lines(world.plan({"ben"}))[2], "run train/ben: reused: partly, training at step 40 of 60");
}

TEST(Planner, SkipsOnlyTheCustomerWhosePhotosAreMissing) {
  PlanWorld world;
  ASSERT_TRUE(world.files.remove_all("/night/ben").has_value());
  const Plan plan = world.plan();
  std::vector<std::string> skipped;
  for (const auto& task : plan.tasks)
    if (task.action == Action::skip) {
      skipped.push_back(display_name(plan, world.batch, task.id));
      EXPECT_EQ(task.reason, "input 'photos': /night/ben: No such file or directory");
      EXPECT_FALSE(task.key.has_value());
    }
  EXPECT_THAT(skipped, ElementsAre("load/ben", "align/ben", "train/ben", "model/ben", "pictures/ben", "output lora/ben",
                                   "output pictures/ben"));
  EXPECT_EQ(world.run().size(), plan.tasks.size() - skipped.size());
}

TEST(Planner, SaysWhatIsMissingWhereNoPhotosAreFound) {
  PlanWorld world;
  ASSERT_TRUE(world.files.remove_all("/night/ben/a.txt").has_value());
  EXPECT_EQ(world.find(world.plan(), "load/ben").reason, "input 'photos': /night/ben: holds no .txt file");
  world.batch.customers[1].inputs.clear();
  EXPECT_EQ(world.find(world.plan(), "load/ben").reason, "input 'photos': is not given");
}

TEST(Planner, LooksAgainAtPhotosThatCannotBeReadInPassing) {
  PlanWorld world;
  world.files.fail_next("/night/ben/a.txt", {ErrorKind::transient, "the disk was busy"});
  EXPECT_EQ(world.find(world.plan(), "load/ben").action, Action::run);
}

// What is said of ben's photos where links lead elsewhere; empty: they are read.
std::string told_of_ben(PlanWorld& world, std::map<std::filesystem::path, std::filesystem::path> links) {
  auto seams = world.seams();
  seams.real_path = [links = std::move(links)](const std::filesystem::path& path) {
    const auto link = links.find(path);
    return link == links.end() ? path : link->second;
  };
  const Plan plan = make_plan(world.batch, {"/out", {}, {}}, seams).value();
  EXPECT_EQ(world.find(plan, "load/anna").action, Action::run) << "nobody else's";
  const Task& load = world.find(plan, "load/ben");
  return load.action == Action::skip ? load.reason : "";
}

TEST(Planner, SkipsACustomerWhosePhotosAreLinksOutOfTheirFolder) {
  PlanWorld world;
  EXPECT_EQ(told_of_ben(world, {}), "");
  EXPECT_EQ(told_of_ben(world, {{"/night/ben/a.txt", "/night/ben/b.txt"}}), "");
  EXPECT_EQ(told_of_ben(world, {{"/night/ben", "/archive/ben"}, {"/night/ben/a.txt", "/archive/ben/a.txt"}}), "")
      << "the batch names the folder, wherever that is";
  const std::string out =
      "input 'photos': /night/ben/a.txt: leads out of /night/ben; expected what is inside, or "
      "'paths: anywhere' in the batch file";
  EXPECT_EQ(told_of_ben(world, {{"/night/ben/a.txt", "/night/cleo/a.txt"}}), out);
  EXPECT_EQ(told_of_ben(world, {{"/night/ben/a.txt", "/night/benjamin/a.txt"}}), out);
  world.batch.paths_anywhere = true;
  EXPECT_EQ(told_of_ben(world, {{"/night/ben/a.txt", "/night/cleo/a.txt"}}), "");
}

TEST(Planner, SkipsACustomerWhoseFolderIsALinkOutOfTheFolderItWasFoundIn) {
  PlanWorld world;
  world.batch.customers[1].within["photos"] = "/night";
  EXPECT_EQ(told_of_ben(world, {}), "");
  EXPECT_EQ(told_of_ben(world, {{"/night/ben", "/archive/ben"}, {"/night/ben/a.txt", "/archive/ben/a.txt"}}),
            "input 'photos': /night/ben: leads out of /night; expected what is inside, or 'paths: anywhere' in the "
            "batch file");
}

TEST(Planner, LeavesOutInAnotherWaveWhatHasFailed) {
  PlanWorld world;
  world.cut_off_at = "train/ben";
  world.run({"ben"});
  PlanOptions options{world.out, {"ben"}, {}};
  options.failed[*world.find(world.plan({"ben"}), "train/ben").key] = "train/ben failed: out of paint";
  const Plan plan = make_plan(world.batch, options, world.seams()).value();
  EXPECT_THAT(
      world.lines_not(Action::reuse, plan),
      ElementsAre("skip train/ben: train/ben failed: out of paint", "run style_load: new", "wait look: new",
                  "skip model/ben: train/ben failed: out of paint", "skip pictures/ben: train/ben failed: out of paint",
                  "skip output lora/ben: train/ben failed: out of paint",
                  "skip output pictures/ben: train/ben failed: out of paint", "wait output look: new"));
}

TEST(Planner, DoesNotTrustARecordThatLacksAPort) {
  PlanWorld world;
  world.run({"ben"});
  Record record = world.ledger.find(*world.find(world.plan({"ben"}), "train/ben").key).value();
  record.outputs.clear();
  ASSERT_TRUE(world.ledger.commit(record, {}).has_value());
  EXPECT_EQ(world.find(world.plan({"ben"}), "train/ben").action, Action::run);
}

TEST(Planner, KeepsNoProvenance) {
  PlanWorld world;
  world.run({"ben"});
  Record record = world.ledger.find(*world.find(world.plan({"ben"}), "train/ben").key).value();
  record.provenance["device"] = "cpu:0";
  record.warnings = {"the text is short"};
  ASSERT_TRUE(world.ledger.commit(record, {}).has_value());
  const Plan plan = world.plan({"ben"});
  EXPECT_TRUE(world.find(plan, "train/ben").record->provenance.empty());
  EXPECT_THAT(world.find(plan, "train/ben").record->warnings, ElementsAre("the text is short"));
}

TEST(Planner, RunsAgainWhatTheCacheHasLost) {
  PlanWorld world;
  world.run({"ben"});
  world.ledger.forget(*world.find(world.plan({"ben"}), "train/ben").key);
  EXPECT_EQ(world.find(world.plan({"ben"}), "train/ben").reason, "no longer in the cache");
}

}  // namespace
}  // namespace atelier
