#include "report/forget_customer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "told_run.h"

namespace atelier {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A run for anna and ben: a task of each, one of both, and one of the batch.
class ForgetCustomer : public ::testing::Test {
 protected:
  ForgetCustomer() {
    run.plan(1, "person", "train", {"anna"});
    run.plan(2, "person", "train", {"ben"});
    run.tell(0, TaskPlanned{{3, 1, "load/anna+1"}, "load", "load", {"anna", "ben"}});
    run.plan(4, "look", "train", {});
    run.start(1, 1, "person/anna", "train", "cpu:0");
    run.finish(2, 1, "person/anna", 1);
    run.tell(2, TaskWarning{{3, 1, "load/anna+1"}, "photos/anna/1.jpg: left out, as annabel was"});
    run.tell(2, TaskWarning{{3, 1, "load/anna+1"}, "anna.jpg: left out"});
    run.tell(3, TaskFailed{.task = {3, 1, "load/anna+1"}, .message = "no photo", .log = "logs/load+anna+1.log"});
    run.tell(3, TaskSkipped{{2, 1, "person/ben"}, "load/anna+1 failed"});
    run.tell(4, CustomerFinished{.customer = "anna", .outputs = {"anna/x.png"}});
    run.tell(4, CustomerFinished{.customer = "ben", .failed_task = "load/anna+1", .log = "logs/load+anna+1.log"});
    run.tell(5, RunFinished{1, 5});
    files.put("/out/runs/1/events.jsonl", run.record);
    files.put("/out/runs/1/report.html", "anna");
    files.put("/out/runs/1/logs/person+anna.log", "person/anna\n");
    files.put("/out/runs/1/logs/load+anna+1.log", "load/anna+1\nphotos/anna/1.jpg is none\n");
    files.put("/out/runs/1/scratch/1-1/x", "anna");
  }
  std::string record() const { return files.text("/out/runs/1/events.jsonl").value(); }

  ToldRun run;
  MemoryFiles files;
};

TEST_F(ForgetCustomer, NoLineNamesThemAndTheOthersStoryIsWhole) {
  ASSERT_TRUE(forget_customer(files, "/out/runs/1", "anna"));
  EXPECT_THAT(record(), Not(testing::ContainsRegex("[^a-z]anna[^a-z]")));
  EXPECT_THAT(record(), HasSubstr("(purged)/1.jpg: left out, as annabel was"));
  const auto report = read_run(files, "/out/runs/1").value();
  EXPECT_EQ(report.facts.unread, 0u);
  EXPECT_THAT(report.story.opening.customer_ids, ElementsAre("ben", "cleo"));
  EXPECT_EQ(report.story.opening.customers, 2u);
  std::vector<std::string> tasks;
  for (const auto& task : report.story.tasks) tasks.push_back(task.name);
  EXPECT_THAT(tasks, ElementsAre("person/ben", "load/ben", "look"));
  EXPECT_EQ(report.story.tasks[0].why, "load/ben failed");
  EXPECT_EQ(report.story.tasks[1].log, "logs/load+ben.log");
  EXPECT_THAT(report.story.tasks[1].customers, ElementsAre("ben"));
}

TEST_F(ForgetCustomer, TheirLogsGoAndLogsOfOthersTooLoseTheName) {
  EXPECT_EQ(forget_customer(files, "/out/runs/1", "anna")->logs, 2u);
  EXPECT_FALSE(files.exists("/out/runs/1/logs/person+anna.log"));
  EXPECT_FALSE(files.exists("/out/runs/1/logs/load+anna+1.log"));
  EXPECT_EQ(files.text("/out/runs/1/logs/load+ben.log"), "load/ben\nphotos/(purged)/1.jpg is none\n");
  EXPECT_FALSE(files.exists("/out/runs/1/scratch"));
}

TEST_F(ForgetCustomer, ThePageGoesAndIsToBeMadeAgain) {
  const auto forgotten = forget_customer(files, "/out/runs/1", "anna").value();
  EXPECT_TRUE(forgotten.had_page);
  EXPECT_FALSE(forgotten.folder_removed);
  EXPECT_FALSE(files.exists("/out/runs/1/report.html"));
}

TEST_F(ForgetCustomer, ARunThatWorkedForNobodyElseGoesWhole) {
  ASSERT_TRUE(forget_customer(files, "/out/runs/1", "anna"));
  ASSERT_TRUE(forget_customer(files, "/out/runs/1", "cleo"));
  EXPECT_TRUE(forget_customer(files, "/out/runs/1", "ben")->folder_removed);
  EXPECT_FALSE(files.exists("/out/runs/1"));
}

TEST_F(ForgetCustomer, ARunThatDoesNotNameThemIsNotTouched) {
  EXPECT_EQ(forget_customer(files, "/out/runs/1", "ann")->lines, 0u);
  EXPECT_EQ(record(), run.record);
  EXPECT_TRUE(files.exists("/out/runs/1/report.html"));
  EXPECT_EQ(forget_customer(files, "/out/runs/2", "anna")->lines, 0u) << "there is no such run";
}

TEST_F(ForgetCustomer, ATornLineThatNamesThemLosesTheName) {
  const auto forgotten = forget_in_record(run.record + R"({"event":"task_started","task":"person/anna")", "anna");
  EXPECT_THAT(forgotten.text, testing::EndsWith("{\"event\":\"task_started\",\"task\":\"person/(purged)\"\n"));
}

TEST_F(ForgetCustomer, IsRefusedWhileARunWritesThere) {
  const auto lock = files.try_lock("/out/runs/lock").value();
  EXPECT_EQ(forget_customer(files, "/out/runs/1", "anna").error().message,
            "/out: a run is writing there; wait until it has ended, or stop it, and try again");
  EXPECT_EQ(record(), run.record);
}

TEST_F(ForgetCustomer, ARecordThatCannotBeReadIsAnErrorAndStays) {
  files.fail_next("/out/runs/1/events.jsonl", {ErrorKind::transient, "the disk says no"});
  EXPECT_EQ(forget_customer(files, "/out/runs/1", "anna").error().message, "the disk says no");
  EXPECT_EQ(record(), run.record);
}

}  // namespace
}  // namespace atelier
