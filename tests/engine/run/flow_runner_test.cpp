#include "run/flow_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <random>

#include "run/thread_executor.h"

namespace atelier {
namespace {

using State = TaskResult::State;
using ::testing::ElementsAre;

TaskResult of(State state) {
  TaskResult result;
  result.state = state;
  return result;
}

// A plan of bare tasks, run by real threads; what ends is checked against what it depends on.
class Flow final : public FlowTasks {
 public:
  TaskId add(std::uint32_t step, std::vector<TaskId> after = {}) {
    Task task;
    task.id = static_cast<TaskId>(plan.tasks.size());
    task.step = step;
    task.dependencies = std::move(after);
    for (const TaskId dependency : task.dependencies) plan.tasks[index_of(dependency)].dependents.push_back(task.id);
    plan.tasks.push_back(std::move(task));
    return plan.tasks.back().id;
  }

  void run(std::vector<bool> settled = {}) {
    settled.resize(plan.tasks.size());
    results.assign(plan.tasks.size(), {});
    std::vector<SchedulerTask> tasks;
    for (const Task& task : plan.tasks) tasks.push_back({task.customers, task.dependents, Place::cpu, {}});
    Capacity capacity;
    capacity.cores = 3;
    Scheduler scheduler(capacity, 8, 0, std::move(tasks));
    for (std::size_t i = 0; i < settled.size(); ++i)
      if (settled[i]) {
        scheduler.ended(static_cast<TaskId>(i));
        results[i].state = State::reused;
      }
    ThreadExecutor executor(0, 3, [this](const Assignment& assignment) { return body(assignment); });
    FlowRunner flow(plan, scheduler, executor, *this, clock, stop, std::chrono::seconds(0));
    flow.run(settled);
    EXPECT_TRUE(scheduler.finished() || stop.requested());
  }

  std::optional<TaskResult> blocked(TaskId id) override {
    for (const TaskId dependency : plan.tasks[index_of(id)].dependencies) {
      const State state = results[index_of(dependency)].state;
      EXPECT_NE(state, State::pending) << "a task came before what it depends on";
      if (state == State::failed || state == State::skipped) return of(State::skipped);
    }
    return {};
  }
  void ended(TaskId id, TaskResult result) override {
    if (on_end) on_end(id);
    results[index_of(id)] = std::move(result);
  }
  void retried(TaskId, const TaskResult&, int, std::chrono::milliseconds, bool) override { ++retries; }

  TaskLimits limits(TaskId) const override { return {}; }
  TaskResult hung(const Assignment&) override { return of(State::failed); }

  std::vector<State> states() const {
    std::vector<State> all;
    for (const auto& result : results) all.push_back(result.state);
    return all;
  }

  Plan plan;
  std::vector<TaskResult> results;
  SystemClock clock;
  StopToken stop;
  int retries = 0;
  std::function<TaskResult(const Assignment&)> body = [](const Assignment&) { return of(State::finished); };
  std::function<void(TaskId)> on_end;
};

TEST(FlowRunner, RunsADiamondInItsOrder) {
  Flow flow;
  const TaskId top = flow.add(0), left = flow.add(1, {top}), right = flow.add(2, {top});
  flow.add(3, {left, right});
  flow.run();
  EXPECT_THAT(flow.states(), ::testing::Each(State::finished));
}

TEST(FlowRunner, SkipsWhatDependsOnAFailureAndRunsTheRest) {
  Flow flow;
  const TaskId bad = flow.add(0), good = flow.add(0);
  flow.add(1, {bad});
  flow.add(1, {good});
  flow.add(2, {TaskId{2}, TaskId{3}});
  flow.body = [&](const Assignment& assignment) {
    return of(assignment.admission.task == bad ? State::failed : State::finished);
  };
  flow.run();
  EXPECT_THAT(flow.states(),
              ElementsAre(State::failed, State::finished, State::skipped, State::finished, State::skipped));
}

TEST(FlowRunner, StartsFromWhatIsSettled) {
  Flow flow;
  const TaskId first = flow.add(0), second = flow.add(1, {first});
  flow.add(2, {second});
  flow.run({true, true, false});
  EXPECT_THAT(flow.states(), ElementsAre(State::reused, State::reused, State::finished));
  flow.run({true, true, true});
  EXPECT_THAT(flow.states(), ::testing::Each(State::reused));
}

TEST(FlowRunner, EndsWhatIsQueuedWhenTheRunIsStopped) {
  Flow flow;
  for (int i = 0; i < 50; ++i) flow.add(0);
  flow.add(1, {TaskId{0}});
  flow.body = [&](const Assignment&) {
    flow.stop.request(2);
    return of(State::finished);
  };
  flow.run();
  const auto states = flow.states();
  EXPECT_EQ(std::count(states.begin(), states.end(), State::pending), 0);
  EXPECT_LE(std::count(states.begin(), states.end(), State::finished), 3) << "those that ran already";
}

TEST(FlowRunner, StopsTheRunWhereItsOwnCodeThrows) {
  Flow flow;
  for (int i = 0; i < 20; ++i) flow.add(0);
  flow.add(1, {TaskId{0}});
  flow.on_end = [](TaskId id) {
    if (id == TaskId{3}) throw Fault("the table is broken");
  };
  flow.run();
  EXPECT_TRUE(flow.stop.halted());
  EXPECT_EQ(flow.stop.reason(), "the table is broken");
}

TEST(FlowRunner, RunsEveryTaskOfRandomGraphsOnceAndInOrder) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
    Flow flow;
    std::vector<std::vector<TaskId>> by_step;
    for (std::uint32_t step = 0; step < 6; ++step) {
      by_step.emplace_back();
      for (std::size_t n = 1 + pick(15); n > 0; --n) {
        std::vector<TaskId> after;
        for (std::uint32_t before = 0; before < step; ++before)
          if (pick(2) == 0) after.push_back(by_step[before][pick(by_step[before].size())]);
        by_step[step].push_back(flow.add(step, std::move(after)));
      }
    }
    std::mutex mutex;
    std::vector<int> runs(flow.plan.tasks.size());
    flow.body = [&](const Assignment& assignment) {
      const std::lock_guard hold(mutex);
      ++runs[index_of(assignment.admission.task)];
      return of(State::finished);
    };
    flow.run();
    EXPECT_THAT(runs, ::testing::Each(1)) << seed;
  }
}

}  // namespace
}  // namespace atelier
