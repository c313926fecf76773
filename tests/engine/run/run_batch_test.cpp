#include "run/run_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <set>
#include <sstream>
#include <string>

#include "artifact/shown.h"
#include "run_world.h"

namespace atelier {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(RunBatch, RunsANightAndWritesItsOutputs) {
  RunWorld world;
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  EXPECT_EQ(result.succeeded, 3U);
  EXPECT_EQ(world.outputs().size(), 3U * 3U + 1U);
  EXPECT_EQ(world.output("anna/model/title.txt"), "anna/model/");
  EXPECT_TRUE(world.output("anna/model/blend.txt").starts_with("photo of anna! + 0.5 learned "));
  EXPECT_EQ(world.probe->runs("learn"), 4) << "three customers' and the one they share";
}

TEST(RunBatch, SaysOfASecondRunThatThereIsNothingToDo) {
  RunWorld world;
  world.run();
  const int runs = world.probe->runs();
  const auto again = world.run();
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(again.executed, 0U);
  EXPECT_EQ(world.probe->runs(), runs);
  EXPECT_EQ(again.summary,
            "nothing to do: 17 tasks are reused, 7 outputs are up to date\n"
            "took 0.0 s; record: /out/runs/20231114T221320Z-2\n");
}

TEST(RunBatch, RunsAfterAChangeOfAWeightOnlyWhatDependsOnIt) {
  RunWorld world;
  world.run();
  const int learned = world.probe->runs("learn");
  world.set("weight", 0.75);
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(world.probe->runs("learn"), learned);
  EXPECT_THAT(world.recorder.names("task_finished"), ElementsAre("model/anna", "model/ben", "model/cleo"));
  EXPECT_THAT(world.recorder.names("output_written"),
              ElementsAre("output model/anna", "output model/ben", "output model/cleo"));
  EXPECT_TRUE(world.output("ben/model/blend.txt").starts_with("photo of ben! + 0.75 learned "));
}

TEST(RunBatch, FailsWhatDependsOnAFailureAndNobodyElses) {
  RunWorld world;
  world.files.put("/studio/ben/one.txt", "this must fail");
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(world.recorder.names("task_failed"), ElementsAre("check/ben"));
  EXPECT_THAT(world.recorder.names("task_skipped"),
              ElementsAre("model/ben", "output model/ben", "output person/ben", "person/ben", "portrait/ben"));
  for (const auto& skipped : world.recorder.all<TaskSkipped>()) EXPECT_EQ(skipped.reason, "check/ben failed");
  EXPECT_EQ(world.outputs().size(), 2U * 3U + 1U);
  EXPECT_EQ(result.summary,
            "anna: succeeded after 0.0 s\n"
            "ben: failed at check/ben: the text holds 'fail'\n"
            "  log: /out/runs/20231114T221320Z-1/logs/check+ben.log\n"
            "cleo: succeeded after 0.0 s\n"
            "2 customers succeeded, 1 failed\n"
            "tasks: 13 run, 0 reused, 2 of them shared by customers\n"
            "outputs: 5 written, 0 up to date\n"
            "took 0.0 s; record: /out/runs/20231114T221320Z-1\n");
}

TEST(RunBatch, WritesALogOfATaskThatFailed) {
  RunWorld world;
  world.files.put("/studio/ben/one.txt", "this must fail");
  world.run();
  const auto log = world.files.text("/out/runs/20231114T221320Z-1/logs/check+ben.log").value_or("");
  EXPECT_THAT(log, ::testing::MatchesRegex("check/ben\non cpu with 1 thread, attempt 1\nkey [0-9a-f]+\n"
                                           "kind = \"input\"\nneedle = \"fail\"\nthrows = false\n"
                                           "failed: the text holds 'fail'\n"));
}

TEST(RunBatch, TakesWhatANodeThrowsForItsFailure) {
  RunWorld world;
  world.probe->on_run = [](std::string_view node, std::string_view text) {
    if (node != "shout") return;
    if (text == "photo of anna") throw Fault("a broken node");
    if (text == "photo of ben") throw UserError("photos: too dark");
    throw 7;
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 3);
  std::map<std::string, std::string> kinds;
  for (const auto& failed : world.recorder.all<TaskFailed>())
    kinds[failed.task.name] = failed.kind + ": " + failed.message;
  EXPECT_EQ(kinds, (std::map<std::string, std::string>{{"portrait/anna", "fault: a broken node"},
                                                       {"portrait/ben", "input: photos: too dark"},
                                                       {"portrait/cleo", "fault: an unknown exception"}}));
}

TEST(RunBatch, FailsACustomerWhoseInputIsMissing) {
  RunWorld world;
  world.batch.customers[0].inputs["photos"] = "/studio/nobody";
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 1);
  const auto finished = world.recorder.all<CustomerFinished>();
  const auto anna =
      std::find_if(finished.begin(), finished.end(), [](const auto& one) { return one.customer == "anna"; });
  ASSERT_NE(anna, finished.end());
  EXPECT_EQ(anna->result, CustomerFinished::Result::failed);
  EXPECT_EQ(anna->failed_task, "load/anna");
  EXPECT_THAT(anna->why, ::testing::HasSubstr("/studio/nobody"));
}

TEST(RunBatch, TriesATransientFailureAgain) {
  RunWorld world;
  world.ticker = std::make_unique<FastTicker>(world.clock);
  // Planning reads the file for its digest; the failure must wait for the node.
  world.recorder.look_on = [&](const Event& event) {
    if (const auto* started = event.as<TaskStarted>();
        started && started->task.name == "load/ben" && started->attempt == 1)
      world.files.fail_next("/studio/ben/one.txt", {ErrorKind::transient, "the disk was busy"});
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  const auto retried = world.recorder.all<TaskRetried>();
  ASSERT_EQ(retried.size(), 1U);
  EXPECT_EQ(retried[0].message, "the disk was busy");
  EXPECT_EQ(retried[0].delay_s, 1);
}

TEST(RunBatch, TellsThatATaskFinishedOnlyAfterItsRecordIsKept) {
  RunWorld world;
  int told = 0;
  world.recorder.look_on = [&](const Event& event) {
    const auto* finished = event.as<TaskFinished>();
    if (!finished) return;
    ++told;
    EXPECT_TRUE(world.ledger.find(finished->key)) << finished->task.name;
    const bool recipe = finished->task.name.starts_with("model");
    EXPECT_EQ(world.store.has(finished->key), !recipe) << finished->task.name;
  };
  world.run();
  EXPECT_EQ(told, 17);
}

TEST(RunBatch, GivesEqualOutputsOnOneAndTwoDevicesAndInAnyOrderOfCustomers) {
  RunWorld one, two;
  two.options.devices = {{false, 0}, {false, 1}};
  std::reverse(two.batch.customers.begin(), two.batch.customers.end());
  ASSERT_EQ(one.run().exit_code, 0);
  ASSERT_EQ(two.run().exit_code, 0);
  EXPECT_EQ(one.outputs(), two.outputs());
}

TEST(RunBatch, RunsTwoTrainingsAtOnceOnTwoDevices) {
  RunWorld world;
  world.options.devices = {{false, 0}, {false, 1}};
  std::mutex mutex;
  std::condition_variable wake;
  int inside = 0;
  world.probe->on_learn_step = [&](std::int64_t step) {  // each of the first two waits for the other
    if (step != 0) return;
    std::unique_lock hold(mutex);
    ++inside;
    wake.notify_all();
    wake.wait(hold, [&] { return inside >= 2; });
  };
  EXPECT_EQ(world.run().exit_code, 0);
  std::set<std::string> devices;
  for (const auto& started : world.recorder.all<TaskStarted>())
    if (started.node == "learn") devices.insert(started.device);
  EXPECT_THAT(devices, ElementsAre("cpu:0", "cpu:1"));
}

TEST(RunBatch, StartsTasksInTheSchedulersOrderWhateverTheThreadsDo) {
  const auto order = [] {
    RunWorld world;
    world.options.machine.cores = 1;
    world.options.window = 2;
    world.run();
    std::vector<std::string> names;
    for (const auto& started : world.recorder.all<TaskStarted>())
      if (started.node == "learn") names.push_back(started.task.name);
    return names;
  };
  // What all share first, then the customers in turn; cleo opens when anna is done.
  const std::vector<std::string> expected{"look", "person/anna", "person/ben", "person/cleo"};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(order(), expected);
}

TEST(RunBatch, DropsContentThatIsKeptWhileNeededWhenItsLastReaderIsDone) {
  RunWorld world;
  world.run();
  // load of three customers and style_load are dropped; check, portrait, person of three and look are kept,
  // and the curves that the four trainings showed.
  EXPECT_EQ(world.store.size(), 3U * 3U + 1U + 4U);
}

TEST(RunBatch, KeepsContentForTheNextRunWhereItsReaderFailed) {
  RunWorld world;
  world.files.put("/studio/ben/one.txt", "this must fail");
  world.run();
  const int reads = world.probe->runs("read");
  world.run();
  EXPECT_EQ(world.probe->runs("read"), reads) << "what was loaded for ben was not loaded again";
}

TEST(RunBatch, MakesLostContentAgainInAnotherWave) {
  RunWorld world;
  world.run();
  world.set("weight", 0.75);
  // Planning sees the content, the task does not: it was damaged and is now in quarantine.
  const Digest lost = [&] {
    for (const auto& finished : world.recorder.all<TaskFinished>())
      if (finished.task.name == "person/ben") return finished.key;
    return Digest{};
  }();
  world.recorder.look_on = [&](const Event& event) {
    const auto* started = event.as<TaskStarted>();
    if (started && started->task.wave == 1 && started->task.name == "output model/ben") world.store.drop(lost);
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  EXPECT_EQ(world.recorder.all<WaveStarted>().size(), 2U);
  EXPECT_THAT(world.recorder.names("task_input_lost"), ElementsAre("output model/ben"));
  EXPECT_TRUE(world.output("ben/model/blend.txt").starts_with("photo of ben! + 0.75 learned "));
}

TEST(RunBatch, GivesUpAfterThreeWaves) {
  RunWorld world;
  world.recorder.look_on = [&](const Event& event) {
    const auto* started = event.as<TaskStarted>();
    if (!started || started->task.name != "output person/ben") return;
    for (const auto& finished : world.recorder.all<TaskFinished>())
      if (finished.task.name == "person/ben") world.store.drop(finished.key);
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 1) << result.summary;
  EXPECT_EQ(world.recorder.all<WaveStarted>().size(), 3U);
  for (const auto& failed : world.recorder.all<TaskFailed>())
    EXPECT_THAT(failed.message,
                ::testing::MatchesRegex("the content of person/ben is missing( or damaged)?; it was lost in 3 waves, "
                                        "the cache's disk may be failing"));
  EXPECT_THAT(world.recorder.names("task_failed"), ::testing::Contains("output person/ben"));
}

TEST(RunBatch, StopsWithTheSignalsCodeAndGoesOnAtTheLastCheckpoint) {
  RunWorld undisturbed;
  undisturbed.run();

  RunWorld world;
  std::atomic<int> steps{0};
  world.probe->on_learn_step = [&](std::int64_t step) {
    ++steps;
    if (step == 2 && steps == 3) world.stop->request(15);
  };
  const auto stopped = world.run();
  EXPECT_EQ(stopped.exit_code, 143);
  EXPECT_EQ(steps, 3) << "steps 0, 1 and 2 of one training";
  EXPECT_EQ(world.store.checkpoints(), 1U);
  const auto finished_before = world.recorder.names("task_finished");

  const auto resumed = world.run();
  EXPECT_EQ(resumed.exit_code, 0);
  EXPECT_EQ(steps, 4 + 3 * 4) << "no step was made twice";
  EXPECT_EQ(world.store.checkpoints(), 0U);
  for (const auto& name : world.recorder.names("task_finished"))
    EXPECT_EQ(std::count(finished_before.begin(), finished_before.end(), name), 0) << name << " ran twice";
  EXPECT_EQ(world.outputs(), undisturbed.outputs());
}

// As far as a record tells: what a resumed training took is not what a whole one takes.
TEST(RunBatch, RecordsWhatATaskIsLikeAndWhetherItWentOnFromACheckpoint) {
  RunWorld world;
  std::atomic<int> steps{0};
  world.probe->on_learn_step = [&](std::int64_t step) {
    world.clock.advance(std::chrono::seconds(1));
    ++steps;
    if (step == 2 && steps == 3) world.stop->request(15);
  };
  ASSERT_EQ(world.run().exit_code, 143);
  ASSERT_EQ(world.run().exit_code, 0);
  int resumed = 0, trainings = 0;
  std::set<std::string> likenesses;
  for (const auto& finished : world.recorder.all<TaskFinished>()) {
    const Record record = world.ledger.find(finished.key).value();
    if (record.node != "learn") continue;
    ++trainings;
    resumed += record.provenance.contains("resumed") ? 1 : 0;
    likenesses.insert(record.provenance.at("like").get<std::string>());
    EXPECT_EQ(record.provenance.at("guess_s"), 1.0) << "the node's, not what was expected of it";
  }
  EXPECT_EQ(trainings, 4);
  EXPECT_EQ(resumed, 1);
  EXPECT_EQ(likenesses.size(), 1U) << "the style's training is like the customers'";
}

TEST(RunBatch, LeavesNoCheckpointWithoutItsOwners) {
  RunWorld world;
  std::atomic<int> steps{0};
  world.probe->on_learn_step = [&](std::int64_t step) {
    ++steps;
    if (step == 2 && steps == 3) world.stop->request(15);
  };
  ASSERT_EQ(world.run().exit_code, 143);
  ASSERT_EQ(world.store.checkpoints(), 1U);
  int owned = 0;
  for (const auto& started : world.recorder.all<TaskStarted>()) {
    if (!started.key || !world.store.checkpoint(*started.key)) continue;
    ++owned;
    const auto owners = world.ledger.owners(*started.key);
    EXPECT_FALSE(owners.empty());
    EXPECT_EQ(world.ledger.owners(shown_key(*started.key)), owners);
  }
  EXPECT_EQ(owned, 1);
}

TEST(RunBatch, TellsWhoseTheFilesAreThatItReadsAndWrites) {
  RunWorld world;
  world.options.only = {"anna", "ben"};
  const auto result = world.run();
  std::map<std::string, std::set<std::pair<PathKind, std::string>>> by_customer;
  for (const auto& [kind, path, owner] : world.owned) by_customer[customer_of(owner)].emplace(kind, path.string());
  const auto expected = [&](const std::string& id) {
    return std::set<std::pair<PathKind, std::string>>{{PathKind::input, "/studio/" + id},
                                                      {PathKind::output, "/out/" + id + "/person.txt"},
                                                      {PathKind::output, "/out/" + id + "/model"},
                                                      {PathKind::run, result.folder.string()}};
  };
  EXPECT_EQ(by_customer, (decltype(by_customer){{"anna", expected("anna")}, {"ben", expected("ben")}}));
}

TEST(RunBatch, SaysThatItWasStopped) {
  RunWorld world;
  world.before_run = [](StopToken& stop) { stop.request(2); };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_EQ(result.executed, 0U);
  EXPECT_EQ(result.summary,
            "stopped; the same command goes on from here\n"
            "took 0.0 s; record: /out/runs/20231114T221320Z-1\n");
}

TEST(RunBatch, AbandonsTasksThatDoNotHeedAStop) {
  RunWorld world;
  world.ticker = std::make_unique<FastTicker>(world.clock);
  world.probe->on_run = [&](std::string_view node, std::string_view) {
    if (node != "shout") return;
    world.stop->request(2);
    world.abandoned.acquire();  // deaf until the run gives up
    world.abandoned.release();
  };
  EXPECT_EQ(world.run().exit_code, 130);
  EXPECT_EQ(world.abandoned_code, 130);
}

TEST(RunBatch, StopsItselfWhenTheCacheCannotBeWritten) {
  RunWorld world;
  world.store.fail_puts(3, {ErrorKind::transient, "/cache: Input/output error"});
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.summary, ::testing::HasSubstr("the run stopped itself: /cache: Input/output error; "
                                                   "the same command goes on from here\n"));
  EXPECT_THAT(world.recorder.all<TaskFailed>(), IsEmpty());
  EXPECT_EQ(world.run().exit_code, 0);
}

TEST(RunBatch, WritesIntoTheCacheOnceMoreWhatCouldNotBeWrittenInPassing) {
  RunWorld world;
  world.store.fail_puts(2, {ErrorKind::transient, "/cache: Input/output error"});
  EXPECT_EQ(world.run().exit_code, 0);
  EXPECT_THAT(world.recorder.all<TaskRetried>(), IsEmpty()) << "what was made is written again, not made again";
}

TEST(RunBatch, StopsItselfAfterTooManyFailures) {
  RunWorld world;
  world.options.most_failed_customers = 1;
  world.options.window = 1;
  world.files.put("/studio/anna/one.txt", "this must fail");
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.summary,
              ::testing::HasSubstr("the run stopped itself: 1 customer failed, as many as --max-failures names; "));
}

TEST(RunBatch, RefusesASecondRunIntoOneOutFolder) {
  RunWorld world;
  const auto lock = world.files.try_lock("/out/runs/lock");
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.summary, "/out: another run is writing there; wait for it, or give this one another --out\n");
}

TEST(RunBatch, RunsOnlyTheCustomersItIsAskedFor) {
  RunWorld world;
  world.options.only = {"ben"};
  EXPECT_EQ(world.run().exit_code, 0);
  EXPECT_EQ(world.output("anna/person.txt"), "(none)");
  EXPECT_NE(world.output("ben/person.txt"), "(none)");
  world.options.only = {"nobody"};
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.summary, ::testing::HasSubstr("nobody"));
}

TEST(RunBatch, ComputesAKeyOnceWhenTwoRunsShareACache) {
  RunWorld one, two;
  // Both look at the same cache; each has its own out folder.
  two.options.out = "/other";
  const auto run = [](RunWorld& world, MemoryStore& store, MemoryLedger& ledger) {
    StopToken stop;
    FastTicker ticker(world.clock);
    return run_batch(world.options, world.batch,
                     {world.registry, store, ledger, world.files, world.clock, ticker, stop, {&world.recorder}, {}});
  };
  RunResult first, second;
  std::thread other([&] { second = run(two, one.store, one.ledger); });
  first = run(one, one.store, one.ledger);
  other.join();
  EXPECT_EQ(first.exit_code, 0) << first.summary;
  EXPECT_EQ(second.exit_code, 0) << second.summary;
  std::map<Digest, int> finished;
  for (const auto* world : {&one, &two})
    for (const auto& event : world->recorder.all<TaskFinished>()) ++finished[event.key];
  EXPECT_EQ(one.probe->runs("learn") + two.probe->runs("learn"), 4);
}

TEST(RunBatch, KeepsItsEventsInTheRunsFolder) {
  RunWorld world;
  const auto result = world.run();
  const auto text = world.files.text(result.folder / "events.jsonl").value_or("");
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_EQ(nlohmann::json::parse(line).at("event"), name_of(world.recorder.events.at(count)));
  EXPECT_EQ(count, world.recorder.events.size());
  EXPECT_EQ(name_of(world.recorder.events.front()), "run_started");
  EXPECT_EQ(name_of(world.recorder.events.back()), "run_finished");
}

TEST(RunBatch, TellsTheWarningsOfAResultAgainWhenItIsReused) {
  RunWorld world;
  world.files.put("/studio/style/one.txt", "ab");  // "the text is short"
  world.run();
  ASSERT_EQ(world.recorder.all<TaskWarning>().size(), 1U);
  world.run();
  const auto again = world.recorder.all<TaskWarning>();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_TRUE(again[0].reused);
  EXPECT_EQ(again[0].task.name, "look");
  EXPECT_EQ(again[0].text, "the text is short");
}

PipelineStep& step_named(Batch& batch, std::string_view name) {
  return *std::ranges::find(batch.pipeline.steps, name, &PipelineStep::name);
}

TEST(RunBatch, StopsATaskAtItsTimeoutAndGoesOnFromItsCheckpoint) {
  RunWorld undisturbed, world;
  undisturbed.run();
  world.ticker = std::make_unique<FastTicker>(world.clock, std::chrono::milliseconds(1));
  step_named(world.batch, "look").timeout = std::chrono::seconds(60);
  std::atomic<int> slow{0};
  world.probe->on_learn_step = [&](std::int64_t step) {
    if (step == 2 && slow++ == 0) world.clock.advance(std::chrono::seconds(61));
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  const auto retried = world.recorder.all<TaskRetried>();
  ASSERT_EQ(retried.size(), 1U);
  EXPECT_EQ(retried[0].task.name, "look");
  EXPECT_EQ(retried[0].message, "was not done after 60 s, the step's timeout");
  EXPECT_EQ(world.outputs(), undisturbed.outputs());
}

TEST(RunBatch, FailsATaskThatIsNeverDoneWithinItsTimeout) {
  RunWorld world;
  world.ticker = std::make_unique<FastTicker>(world.clock, std::chrono::milliseconds(100));
  auto& look = step_named(world.batch, "look");
  look.timeout = std::chrono::seconds(60);
  look.retries = 2;
  world.probe->on_run = [&](std::string_view node, std::string_view text) {
    if (node == "learn" && text.find("style") != std::string_view::npos) world.clock.advance(std::chrono::seconds(61));
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 3) << "all need it";
  EXPECT_EQ(world.recorder.all<TaskRetried>().size(), 2U) << "as often as the step says";
  const auto failed = world.recorder.all<TaskFailed>();
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].kind, "transient");
}

TEST(RunBatch, TriesWhatRanOutOfMemoryWithLessAndThenAlone) {
  RunWorld world;
  std::atomic<int> tries{0};
  world.probe->on_run = [&](std::string_view node, std::string_view text) {
    if (node == "learn" && text.find("ben") != std::string_view::npos && ++tries < 3) throw std::bad_alloc();
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  std::vector<bool> alone;
  for (const auto& retried : world.recorder.all<TaskRetried>()) alone.push_back(retried.alone);
  EXPECT_THAT(alone, ElementsAre(false, true));
  EXPECT_EQ(world.probe->most_times_out_of_memory(), 2);
  for (const auto& finished : world.recorder.all<TaskFinished>())
    EXPECT_EQ(world.ledger.find(finished.key)->provenance.value("times_out_of_memory", 0),
              finished.task.name == "person/ben" ? 2 : 0)
        << finished.task.name;
}

TEST(RunBatch, TriesAStepThatSaysSoNoSecondTime) {
  RunWorld world;
  step_named(world.batch, "load").retries = 0;
  world.recorder.look_on = [&](const Event& event) {
    if (const auto* started = event.as<TaskStarted>(); started && started->task.name == "load/ben")
      world.files.fail_next("/studio/ben/one.txt", {ErrorKind::transient, "the disk was busy"});
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(world.recorder.all<TaskRetried>().empty());
}

// A world whose training of ben's text hangs until the test ends, and whose clock jumps once `others` customers have
// finished, when nothing else runs. The run stays for good, since the thread is left behind in it, so the world does
// too.
struct HangingWorld {
  explicit HangingWorld(int others) {
    world.drop_output("look");  // it may still be under way when the customers have finished, and would hang too
    world.options.hung_after = std::chrono::seconds(600);
    world.ticker = std::make_unique<FastTicker>(world.clock, std::chrono::milliseconds(1));
    world.recorder.look_on = [this](const Event& event) {
      if (event.as<CustomerFinished>()) finished.release();
    };
    world.probe->on_run = [this, others](std::string_view node, std::string_view text) {
      if (node != "learn" || text.find("ben") == std::string_view::npos) return;
      static thread_local AtThreadEnd end{[this] { gone.release(); }};
      for (int i = 0; i < others; ++i) finished.acquire();
      world.clock.advance(std::chrono::seconds(601));
      go_on.acquire();
    };
  }
  // The thread that was left behind does what it still does, and ends.
  void let_go() {
    go_on.release();
    gone.acquire();
  }

  struct AtThreadEnd {
    std::function<void()> told;
    ~AtThreadEnd() { told(); }
  };
  RunWorld world;
  std::counting_semaphore<> finished{0}, go_on{0}, gone{0};
};

TEST(RunBatch, GivesUpATaskThatHangsAndItsDeviceAndDoesTheRest) {
  auto& hanging = *new HangingWorld(2);
  RunWorld& world = hanging.world;
  world.options.devices = {{false, 0}, {false, 1}};
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 1) << result.summary;
  EXPECT_TRUE(result.left_behind);
  const auto failed = world.recorder.all<TaskFailed>();
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].task.name, "person/ben");
  EXPECT_EQ(failed[0].kind, "fault");
  EXPECT_THAT(failed[0].message, ::testing::MatchesRegex("gave no sign of life for [0-9]+ s and was given up; cpu:[01] "
                                                         "takes no more tasks in this run"));
  EXPECT_TRUE(world.files.exists(result.folder / failed[0].log));
  std::string lost;
  for (const auto& started : world.recorder.all<TaskStarted>()) {
    if (!lost.empty()) {
      EXPECT_NE(started.device, lost) << started.task.name;
    }
    if (started.task.name == "person/ben") lost = started.device;
  }
  EXPECT_EQ(world.recorder.all<CustomerFinished>().size(), 3U);
  const std::size_t told = world.recorder.events.size();
  hanging.let_go();
  EXPECT_EQ(world.recorder.events.size(), told) << "what comes too late is not told";
}

TEST(RunBatch, StopsWhereEveryDeviceHangs) {
  auto& hanging = *new HangingWorld(0);
  const auto result = hanging.world.run();
  EXPECT_EQ(result.exit_code, 4) << result.summary;
  EXPECT_THAT(result.summary, ::testing::HasSubstr("no device is left that has not hung"));
  hanging.let_go();
}

}  // namespace
}  // namespace atelier
