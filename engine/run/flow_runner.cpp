#include "run/flow_runner.h"

#include <tbb/flow_graph.h>
#include <tbb/task_arena.h>

#include <map>
#include <mutex>
#include <set>

#include "run/retry.h"

namespace atelier {
namespace {

namespace flow = tbb::flow;
using State = TaskResult::State;

// Messages are trivial: one worker beside the waiting thread carries them all.
constexpr int arena_threads = 2;
constexpr std::uint32_t settled_before = static_cast<std::uint32_t>(-1);

}  // namespace

class FlowRunner::Graph {
 public:
  Graph(const Plan& plan, Scheduler& scheduler, Executor& executor, FlowTasks& tasks, const Clock& clock,
        StopToken& stop, std::chrono::seconds hung_after)
      : plan_(plan),
        scheduler_(scheduler),
        executor_(executor),
        tasks_(tasks),
        clock_(clock),
        stop_(stop),
        hung_after_(hung_after),
        tries_(plan.tasks.size()) {}

  void run(const std::vector<bool>& settled) {
    tbb::task_arena arena(arena_threads, 1);
    arena.execute([&] {
      flow::graph graph;
      std::vector<std::unique_ptr<Step>> steps;
      build(graph, steps);
      count_dependencies(settled);
      {
        const std::lock_guard hold(mutex_);
        steps_ = &steps;
      }
      seed();
      graph.wait_for_all();
      const std::lock_guard hold(mutex_);
      steps_ = nullptr;
    });
  }

  void beat() {
    std::vector<TaskId> withdrawn;
    {
      const std::lock_guard hold(mutex_);
      if (!steps_) return;
      guarded([&] { give_up_hung(); });
      if (in_flight_ == 0) pump();
      withdrawn = std::move(withdrawn_);
      withdrawn_.clear();
    }
    answer(withdrawn);
  }

 private:
  using Work = flow::async_node<TaskId, TaskId>;
  using Gate = flow::multifunction_node<TaskId, std::tuple<TaskId>>;
  struct Step {
    std::unique_ptr<Work> work;
    std::unique_ptr<Gate> gate;
    std::size_t successors = 0;
  };
  struct Tries {
    std::uint16_t attempts = 0, looks = 0, out_of_memory = 0;
  };

  std::size_t step_of(TaskId id) const {
    const Task& task = plan_.tasks[index_of(id)];
    return task.is_output ? outputs_from_ + task.step : task.step;
  }
  Step& step(TaskId id) { return *(*steps_)[step_of(id)]; }

  void build(flow::graph& graph, std::vector<std::unique_ptr<Step>>& steps) {
    outputs_from_ = 0;
    for (const Task& task : plan_.tasks)
      if (!task.is_output) outputs_from_ = std::max<std::size_t>(outputs_from_, task.step + 1);
    std::set<std::pair<std::size_t, std::size_t>> edges;
    std::size_t count = 0;
    for (const Task& task : plan_.tasks) {
      const std::size_t to = step_of(task.id);
      count = std::max(count, to + 1);
      for (const TaskId dependency : task.dependencies) edges.emplace(step_of(dependency), to);
    }
    for (std::size_t s = 0; s < count; ++s) {
      steps.push_back(std::make_unique<Step>());
      steps[s]->work = std::make_unique<Work>(
          graph, flow::serial, [this](const TaskId& id, Work::gateway_type& gateway) { arrive(id, gateway); });
      steps[s]->gate = std::make_unique<Gate>(graph, flow::serial, [this, s](const TaskId& id, auto& ports) {
        pass(s, id, [&](TaskId due) { std::get<0>(ports).try_put(due); });
      });
      flow::make_edge(flow::output_port<0>(*steps[s]->gate), *steps[s]->work);
    }
    for (const auto& [from, to] : edges) {
      flow::make_edge(flow::output_port<0>(*steps[from]->work), *steps[to]->gate);
      ++steps[from]->successors;
    }
  }

  void count_dependencies(const std::vector<bool>& settled) {
    left_.assign(plan_.tasks.size(), settled_before);
    for (const Task& task : plan_.tasks) {
      if (settled[index_of(task.id)]) continue;
      auto& left = left_[index_of(task.id)] = 0;
      for (const TaskId dependency : task.dependencies) left += settled[index_of(dependency)] ? 0 : 1;
    }
  }

  // The whole seed is under way before the first message is, so that nothing is admitted before all of it has arrived.
  void seed() {
    std::vector<TaskId> first;
    for (const Task& task : plan_.tasks)
      if (left_[index_of(task.id)] == 0) first.push_back(task.id);
    {
      const std::lock_guard hold(mutex_);
      in_flight_ += first.size();
    }
    for (const TaskId id : first) step(id).work->try_put(id);
  }

  // Body of a gate: a task that one of this step's tasks may wait for has ended.
  template <class Put>
  void pass(std::size_t to, TaskId ended, const Put& put) {
    guarded([&] {
      for (const TaskId dependent : plan_.tasks[index_of(ended)].dependents) {
        if (step_of(dependent) != to || left_[index_of(dependent)] == settled_before) continue;
        if (--left_[index_of(dependent)] > 0) continue;
        {
          const std::lock_guard hold(mutex_);
          ++in_flight_;
        }
        put(dependent);
      }
    });
    message_done();
  }

  // Body of a step's node: all that the task depends on has ended.
  void arrive(TaskId id, Work::gateway_type& gateway) {
    bool answered = false;
    guarded([&] {
      const std::lock_guard hold(mutex_);
      std::optional<TaskResult> blocked = tasks_.blocked(id);
      if (!blocked && stop_.requested()) blocked = TaskResult{.state = State::stopped};
      if (blocked) {
        answered = true;
        return end(id, std::move(*blocked));
      }
      scheduler_.ready(id);
      gateway.reserve_wait();
    });
    if (answered) gateway.try_put(id);
    message_done();
  }

  void message_done() {
    std::vector<TaskId> withdrawn;
    {
      const std::lock_guard hold(mutex_);
      if (--in_flight_ == 0) pump();
      withdrawn = std::move(withdrawn_);
      withdrawn_.clear();
    }
    answer(withdrawn);
  }

  // Starts what the Scheduler admits. Under the mutex.
  void pump() {
    guarded([&] {
      if (stop_.requested()) return withdraw();
      for (const Admission& admission : scheduler_.admit(clock_.now())) {
        const auto limits = tasks_.limits(admission.task);
        const Tries& tries = tries_[index_of(admission.task)];
        const Assignment assignment{admission, tries.attempts + 1,
                                    std::make_shared<Attempt>(clock_, limits.timeout, tries.out_of_memory)};
        running_.insert_or_assign(admission.task, assignment);
        executor_.start(assignment, [this](const Assignment& done, TaskResult result) noexcept {
          finish(done, std::move(result));
        });
      }
    });
  }

  void withdraw() {
    for (const TaskId id : scheduler_.close()) {
      end(id, {.state = State::stopped, .started = tries_[index_of(id)].attempts > 0});
      withdrawn_.push_back(id);
    }
  }

  // Records an end, and that its messages are under way. Under the mutex.
  void end(TaskId id, TaskResult result) {
    in_flight_ += step(id).successors;
    scheduler_.ended(id);
    tasks_.ended(id, std::move(result));
  }

  bool kill(const Assignment& assignment) {
    if (!executor_.kill(assignment)) return false;
    (void)assignment.attempt->sign();  // not again with the next beat
    return true;
  }

  // A thread cannot be ended from outside: it is left behind, and with it the device, whose state nobody knows.
  void give_up_hung() {
    if (hung_after_.count() == 0) return;
    std::vector<Assignment> hung;
    bool left_behind = false;
    for (const auto& [id, assignment] : running_) {
      const auto silent = std::chrono::duration_cast<std::chrono::seconds>(assignment.attempt->silent_for());
      if (silent < hung_after_) continue;
      assignment.attempt->hung(silent);
      hung.push_back(assignment);
    }
    for (const Assignment& assignment : hung) {
      const TaskId id = assignment.admission.task;
      if (kill(assignment)) continue;
      left_behind = true;
      assignment.attempt->give_up();
      running_.erase(id);
      executor_.give_up(assignment);
      if (assignment.admission.device) scheduler_.drain(*assignment.admission.device);
      end(id, tasks_.hung(assignment));
      withdrawn_.push_back(id);
    }
    if (left_behind && !scheduler_.any_device()) stop_.halt("no device is left that has not hung");
  }

  // The executor's answer, on one of its threads. After the wait is released this object may be gone, but for an answer
  // that nobody waits for any more.
  void finish(const Assignment& done, TaskResult result) noexcept {
    const TaskId id = done.admission.task;
    Work::gateway_type* gateway = nullptr;
    std::vector<TaskId> withdrawn;
    {
      const std::lock_guard hold(mutex_);
      if (done.attempt->given_up()) return;
      running_.erase(id);
      bool again = false;
      guarded([&] { again = try_again(id, result); });
      if (!again) {
        gateway = &step(id).work->gateway();
        guarded([&] { end(id, std::move(result)); });
      }
      if (in_flight_ == 0) pump();
      withdrawn = std::move(withdrawn_);
      withdrawn_.clear();
    }
    answer(withdrawn);
    if (!gateway) return;
    gateway->try_put(id);
    gateway->release_wait();
  }

  void answer(const std::vector<TaskId>& ended) {
    for (const TaskId id : ended) {
      auto& gateway = step(id).work->gateway();
      gateway.try_put(id);
      gateway.release_wait();
    }
  }

  bool try_again(TaskId id, TaskResult& result) {
    auto& tries = tries_[index_of(id)];
    if (result.state == State::busy) {
      scheduler_.again(id, clock_.now() + claim_delay(++tries.looks));
      return true;
    }
    if (result.state != State::failed) return false;
    ++tries.attempts;
    const auto retry = result.error.kind == ErrorKind::out_of_memory
                           ? retry_without_memory(++tries.out_of_memory)
                           : retry_after(result.error.kind, tries.attempts, tasks_.limits(id).retries, result.crashed);
    if (!retry) return false;
    if (stop_.requested()) {
      result.state = State::stopped;
      result.started = true;
      return false;
    }
    tasks_.retried(id, result, tries.attempts, retry->delay, retry->alone);
    scheduler_.again(id, clock_.now() + retry->delay, retry->alone);
    return true;
  }

  template <class Body>
  void guarded(const Body& body) noexcept {
    try {
      body();
    } catch (const std::exception& error) {
      stop_.halt(error.what());
    } catch (...) {
      stop_.halt("an unknown exception in the run's own code");
    }
  }

  const Plan& plan_;
  Scheduler& scheduler_;
  Executor& executor_;
  FlowTasks& tasks_;
  const Clock& clock_;
  StopToken& stop_;
  std::chrono::seconds hung_after_;

  std::vector<std::unique_ptr<Step>>* steps_ = nullptr;  // while run() runs
  std::size_t outputs_from_ = 0;                         // index of the first output's node
  std::vector<std::uint32_t> left_;                      // by task: dependencies that have not ended; its gate's alone
  std::mutex mutex_;                                     // for all below, the Scheduler and FlowTasks
  std::size_t in_flight_ = 0;                            // messages put and not yet handled
  std::vector<Tries> tries_;
  std::map<TaskId, Assignment> running_;
  std::vector<TaskId> withdrawn_;  // ended by a stop or given up, to be answered once the mutex is free
};

FlowRunner::FlowRunner(const Plan& plan, Scheduler& scheduler, Executor& executor, FlowTasks& tasks, const Clock& clock,
                       StopToken& stop, std::chrono::seconds hung_after)
    : graph_(std::make_unique<Graph>(plan, scheduler, executor, tasks, clock, stop, hung_after)) {}
FlowRunner::~FlowRunner() = default;
void FlowRunner::run(const std::vector<bool>& settled) { graph_->run(settled); }
void FlowRunner::beat() { graph_->beat(); }

}  // namespace atelier
