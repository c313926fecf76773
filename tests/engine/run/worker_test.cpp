// Runs whose device tasks run in workers: the worker's own code on threads of the test, with its own registry.
#include "run/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <semaphore>

#include "run_world.h"
#include "support/fake_processes.h"

namespace atelier {
namespace {

using ::testing::HasSubstr;

// The nodes of a worker are another process's: its probe is the worker's own.
class WorkerWorld {
 public:
  explicit WorkerWorld(std::size_t devices = 1) {
    world.options.devices.clear();
    std::vector<WorkerCommand> commands;
    for (std::size_t i = 0; i < devices; ++i) {
      world.options.devices.push_back({false, static_cast<int>(i)});
      commands.push_back({.device = world.options.devices.back().text(),
                          .arguments = {"worker", world.options.devices.back().text()}});
    }
    workers = make_process_workers(processes, std::move(commands));
    world.workers = workers.get();
  }

  int work(FakeSelf& self) {
    const RunDevices devices =
        make_devices({{false, self.command.arguments.back() == "cpu:0" ? 0 : 1}}, world.options.machine);
    const bool understood = carry_out_orders({.registry = registry,
                                              .store = world.store,
                                              .files = world.files,
                                              .clock = world.clock,
                                              .device = *devices.devices.front(),
                                              .read_line = [&] { return self.read_line(); },
                                              .write_line = [&](const std::string& line) { self.write_line(line); },
                                              .abandoned = {}});
    return understood ? 0 : 2;
  }

  RunWorld world;
  std::shared_ptr<TestProbe> probe = std::make_shared<TestProbe>();
  NodeRegistry registry = make_test_registry(world.files, probe);
  std::function<int(FakeSelf&)> program = [this](FakeSelf& self) { return work(self); };
  FakeProcesses processes{[this](FakeSelf& self) { return program(self); }};
  std::unique_ptr<Workers> workers;
};

// Ends the worker that it is called in, as a crash does: what it would still tell is lost.
void crash(FakeSelf& self, const std::string& last_words) {
  self.on_error_line(last_words);
  self.output->close(true);
  self.input->close(true);
}

std::map<std::string, std::string> undisturbed() {
  RunWorld world;
  world.run();
  return world.outputs();
}

TEST(Worker, DoesWhatTheProcessItselfWouldDo) {
  WorkerWorld isolated(2);
  RunWorld here;
  here.options.devices = isolated.world.options.devices;
  EXPECT_EQ(here.run().exit_code, 0);
  const auto result = isolated.world.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  EXPECT_EQ(isolated.world.outputs(), here.outputs());
  EXPECT_EQ(isolated.world.probe->runs("learn"), 0) << "no training ran in the run's own process";
  EXPECT_EQ(isolated.probe->runs("learn"), 4);
  EXPECT_LE(isolated.processes.started, 2) << "one for each device, kept between tasks";
  const auto told = [](const RunWorld& world) {
    std::map<std::string, double> all;
    for (const auto& metric : world.recorder.all<TaskMetric>())
      all[metric.task.name + std::to_string(metric.step)] = metric.value;
    return all;
  };
  EXPECT_EQ(told(isolated.world), told(here));
  const auto again = isolated.world.run();
  EXPECT_EQ(again.executed, 0U);
}

TEST(Worker, TellsFailuresAsTheyAre) {
  WorkerWorld isolated;
  isolated.probe->on_run = [](std::string_view node, std::string_view text) {
    if (node == "learn" && text.find("ben") != std::string_view::npos) throw UserError("photos: too dark");
    if (node == "learn" && text.find("cleo") != std::string_view::npos) throw std::bad_alloc();
  };
  const auto result = isolated.world.run();
  EXPECT_EQ(result.exit_code, 1);
  std::map<std::string, std::string> kinds;
  for (const auto& failed : isolated.world.recorder.all<TaskFailed>())
    kinds[failed.task.name] = failed.kind + ": " + failed.message;
  EXPECT_EQ(kinds, (std::map<std::string, std::string>{{"person/ben", "input: photos: too dark"},
                                                       {"person/cleo", "out_of_memory: out of memory"}}));
  EXPECT_EQ(isolated.processes.started, 1) << "a failure is no crash";
  EXPECT_EQ(isolated.probe->most_times_out_of_memory(), 2)
      << "what ran out of memory is told so when it is tried again";
}

TEST(Worker, ThatCrashesCostsNothingThatACheckpointKept) {
  WorkerWorld isolated;
  std::atomic<int> steps{0}, crashes{0};
  isolated.program = [&](FakeSelf& self) {
    isolated.probe->on_learn_step = [&](std::int64_t step) {
      ++steps;
      if (step == 3 && crashes++ == 0) crash(self, "double free");
    };
    return isolated.work(self);
  };
  const auto result = isolated.world.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  const auto retried = isolated.world.recorder.all<TaskRetried>();
  ASSERT_EQ(retried.size(), 1U);
  EXPECT_EQ(retried[0].message, "the worker of cpu:0 ended with exit code 0; its last words: double free");
  EXPECT_EQ(isolated.processes.started, 2);
  EXPECT_EQ(steps, 4 * 4 + 2) << "four trainings of four steps, and two again from the checkpoint at two";
  EXPECT_EQ(isolated.world.outputs(), undisturbed());
}

TEST(Worker, ThatCrashesTwiceFailsItsTaskAlone) {
  WorkerWorld isolated;
  isolated.program = [&](FakeSelf& self) {
    isolated.probe->on_run = [&self](std::string_view node, std::string_view text) {
      if (node == "learn" && text.find("ben") != std::string_view::npos) crash(self, "illegal instruction");
    };
    return isolated.work(self);
  };
  const auto result = isolated.world.run();
  EXPECT_EQ(result.exit_code, 1);
  const auto failed = isolated.world.recorder.all<TaskFailed>();
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].task.name, "person/ben");
  EXPECT_EQ(failed[0].kind, "crashed");
  EXPECT_THAT(failed[0].message, HasSubstr("illegal instruction"));
  const auto log = isolated.world.files.text(result.folder / failed[0].log).value_or("");
  EXPECT_THAT(log, HasSubstr("worker: illegal instruction"));
  EXPECT_EQ(isolated.world.recorder.all<TaskRetried>().size(), 1U);
}

TEST(Worker, ThatFallsSilentIsKilledAndItsTaskTriedAgain) {
  WorkerWorld isolated;
  isolated.world.drop_output("look");  // it may still be under way when the customers have finished, and would hang too
  isolated.world.options.hung_after = std::chrono::seconds(600);
  isolated.world.ticker = std::make_unique<FastTicker>(isolated.world.clock, std::chrono::milliseconds(1));
  std::counting_semaphore<> finished{0};
  isolated.world.recorder.look_on = [&](const Event& event) {
    if (event.as<CustomerFinished>()) finished.release();
  };
  std::atomic<int> trainings{0};
  isolated.program = [&](FakeSelf& self) {
    isolated.probe->on_learn_step = [&](std::int64_t step) {
      if (step != 0 || ++trainings != 4) return;
      for (int i = 0; i < 2; ++i) finished.acquire();  // nothing else runs
      isolated.world.clock.advance(std::chrono::seconds(601));
      while (self.read_line()) {
      }
    };
    return isolated.work(self);
  };
  const auto result = isolated.world.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  EXPECT_FALSE(result.left_behind);
  const auto retried = isolated.world.recorder.all<TaskRetried>();
  ASSERT_EQ(retried.size(), 1U);
  EXPECT_THAT(
      retried[0].message,
      ::testing::MatchesRegex("the worker of cpu:0 was killed by signal 9 \\(Killed\\) after [0-9]+ s without a "
                              "sign of life"));
  auto expected = undisturbed();
  expected.erase("style.txt");
  EXPECT_EQ(isolated.world.outputs(), expected);
}

TEST(Worker, StopsItsTrainingAtACheckpointWhenTheRunIsStopped) {
  WorkerWorld isolated;
  isolated.probe->on_learn_step = [&](std::int64_t step) {
    if (step == 1) isolated.world.stop->request(2);
    if (step == 1) isolated.world.clock.advance(std::chrono::seconds(2));  // the next sign of life is due
  };
  EXPECT_EQ(isolated.world.run().exit_code, 130);
  isolated.probe->on_learn_step = {};
  const auto resumed = isolated.world.run();
  EXPECT_EQ(resumed.exit_code, 0) << resumed.summary;
  EXPECT_EQ(isolated.world.outputs(), undisturbed());
}

TEST(Worker, ThatSpeaksNonsenseIsEnded) {
  WorkerWorld isolated;
  isolated.program = [](FakeSelf& self) {
    while (self.read_line()) self.write_line("hello");
    return 0;
  };
  const auto result = isolated.world.run();
  EXPECT_EQ(result.exit_code, 3);
  for (const auto& failed : isolated.world.recorder.all<TaskFailed>())
    EXPECT_THAT(failed.message, HasSubstr("the worker of cpu:0 told something that is not understood"))
        << failed.task.name;
}

TEST(Worker, ThatCannotBeStartedFailsItsTasks) {
  WorkerWorld isolated;
  isolated.processes.refuse = Error{ErrorKind::input, "worker: cannot be started: No such file or directory"};
  const auto result = isolated.world.run();
  EXPECT_EQ(result.exit_code, 3);
  for (const auto& failed : isolated.world.recorder.all<TaskFailed>())
    EXPECT_EQ(failed.message, "worker: cannot be started: No such file or directory") << failed.task.name;
}

TEST(Worker, RefusesAnOrderThatItCannotCarryOut) {
  RunWorld world;
  const RunDevices devices = make_devices({{false, 0}}, world.options.machine);
  const auto answer_to = [&](const nlohmann::json& order) {
    std::deque<std::string> input{nlohmann::json{{"do", "run"}, {"order", order}}.dump()};
    std::vector<std::string> answers;
    std::mutex mutex;
    std::condition_variable answered;
    carry_out_orders({.registry = world.registry,
                      .store = world.store,
                      .files = world.files,
                      .clock = world.clock,
                      .device = *devices.devices.front(),
                      .read_line = [&]() -> std::optional<std::string> {
                        std::unique_lock hold(mutex);
                        if (input.empty()) {
                          answered.wait(hold, [&] { return !answers.empty(); });
                          return {};
                        }
                        auto line = input.front();
                        input.pop_front();
                        return line;
                      },
                      .write_line =
                          [&](const std::string& line) {
                            const std::lock_guard hold(mutex);
                            answers.push_back(line);
                            answered.notify_all();
                          },
                      .abandoned = {}});
    return answers.front();
  };
  EXPECT_THAT(answer_to(nlohmann::json::object()), HasSubstr("no order"));
  const nlohmann::json step{{"name", "a"}, {"node", "paint"}, {"params", {}}, {"ports", nlohmann::json::array()}};
  const nlohmann::json order{{"steps", {step}},          {"inputs", nlohmann::json::array()},
                             {"key", sha256("a").hex()}, {"threads", 1},
                             {"scratch", "/scratch"},    {"provenance", {}}};
  EXPECT_THAT(answer_to(order), HasSubstr("'paint', which this program has not"));
}

}  // namespace
}  // namespace atelier
