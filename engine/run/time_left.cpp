#include "run/time_left.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

namespace atelier {
namespace {

constexpr std::size_t most_simulated = 20'000;

// Of each task, what is left of it and of the longest chain that waits for it.
std::vector<double> paths_of(const std::vector<TaskAhead>& tasks) {
  std::vector<double> paths(tasks.size());
  for (std::size_t i = tasks.size(); i-- > 0;) {
    for (const auto dependent : tasks[i].dependents) paths[i] = std::max(paths[i], paths[dependent]);
    paths[i] += tasks[i].left_s;
  }
  return paths;
}

double lower_bound_s(const NightAhead& night, const std::vector<double>& paths) {
  double device_s = 0, cpu_s = 0;
  for (const auto& task : night.tasks) (task.on_device ? device_s : cpu_s) += task.left_s;
  const double longest = paths.empty() ? 0 : *std::ranges::max_element(paths);
  return std::max({longest, device_s / static_cast<double>(std::max<std::size_t>(1, night.devices)),
                   cpu_s / static_cast<double>(std::max<std::size_t>(1, night.cpu_tasks))});
}

class Simulation {
 public:
  Simulation(const NightAhead& night, const std::vector<double>& paths)
      : tasks_(night.tasks), paths_(paths), waits_for_(tasks_.size()), device_{night.devices}, cpu_{night.cpu_tasks} {
    for (const auto& task : tasks_)
      for (const auto dependent : task.dependents) ++waits_for_[dependent];
  }

  double run() {
    for (std::uint32_t i = 0; i < tasks_.size(); ++i)
      if (tasks_[i].runs)
        start(i);
      else if (waits_for_[i] == 0)
        make_ready(i);
    for (admit(); !running_.empty(); admit()) end_next();
    return now_s_;
  }

 private:
  struct Lane {
    std::size_t room;
    std::size_t busy = 0;
    std::priority_queue<std::pair<double, std::uint32_t>> ready{};  // by path
  };
  Lane& lane(std::uint32_t task) { return tasks_[task].on_device ? device_ : cpu_; }

  void make_ready(std::uint32_t task) { lane(task).ready.emplace(paths_[task], task); }

  void start(std::uint32_t task) {
    ++lane(task).busy;
    running_.emplace(now_s_ + tasks_[task].left_s, task);
  }

  void admit() {
    for (Lane* const lane : {&device_, &cpu_})
      while (lane->busy < std::max<std::size_t>(1, lane->room) && !lane->ready.empty()) {
        const auto task = lane->ready.top().second;
        lane->ready.pop();
        start(task);
      }
  }

  void end_next() {
    const auto [end_s, task] = running_.top();
    running_.pop();
    now_s_ = end_s;
    --lane(task).busy;
    for (const auto dependent : tasks_[task].dependents)
      if (--waits_for_[dependent] == 0 && !tasks_[dependent].runs) make_ready(dependent);
  }

  using End = std::pair<double, std::uint32_t>;
  const std::vector<TaskAhead>& tasks_;
  const std::vector<double>& paths_;
  std::vector<std::uint32_t> waits_for_;
  Lane device_, cpu_;
  std::priority_queue<End, std::vector<End>, std::greater<>> running_;
  double now_s_ = 0;
};

}  // namespace

double time_left_s(const NightAhead& night) {
  const auto paths = paths_of(night.tasks);
  return night.tasks.size() > most_simulated ? lower_bound_s(night, paths) : Simulation(night, paths).run();
}

}  // namespace atelier
