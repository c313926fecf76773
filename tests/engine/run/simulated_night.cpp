#include "simulated_night.h"

#include <fmt/format.h>
#include <algorithm>

namespace atelier {

SimulatedNight::SimulatedNight(std::vector<Task> tasks, double pace_beside_another)
    : tasks_(std::move(tasks)),
      pace_beside_another_(pace_beside_another),
      started_(tasks_.size()),
      ended_(tasks_.size()) {}

bool SimulatedNight::is_ready(std::uint32_t task) const {
  return !started_[task] && std::ranges::all_of(tasks_[task].after, [&](auto before) { return ended_[before]; });
}

void SimulatedNight::start_what_is_ready(const std::function<void(const Event&)>& tell) {
  const auto start = [&](Slot& slot, bool on_device, const std::string& device) {
    for (std::uint32_t id = 0; id < tasks_.size() && !slot.task; ++id) {
      if (tasks_[id].on_device != on_device || !is_ready(id)) continue;
      slot = {.task = id, .started_s = now_s_};
      started_[id] = true;
      tell({now_s_, TaskStarted{.task = {id, 1, tasks_[id].name}, .node = tasks_[id].node, .device = device}});
    }
  };
  for (std::size_t i = 0; i < devices; ++i) start(on_devices_[i], true, fmt::format("cpu:{}", i));
  start(on_cpu_, false, "cpu");
}

void SimulatedNight::go_on(Slot& slot, double pace, const std::function<void(const Event&)>& tell) {
  if (!slot.task) return;
  const auto id = *slot.task;
  slot.done += pace / tasks_[id].seconds;
  const TaskRef ref{id, 1, tasks_[id].name};
  if (slot.done < 1) return tell({now_s_, TaskProgress{ref, slot.done, ""}});
  ended_[id] = true;
  tell({now_s_, TaskFinished{.task = ref, .seconds = now_s_ - slot.started_s}});
  slot = {};
}

double SimulatedNight::run(const std::function<void(const Event&)>& tell,
                           const std::function<void(double)>& each_second) {
  const double began_s = now_s_;
  tell({now_s_, RunStarted{.customers = 1, .devices = {"cpu:0", "cpu:1"}, .cores = 3}});
  tell({now_s_, WaveStarted{.tasks = tasks_.size(), .to_run = tasks_.size()}});
  for (std::uint32_t id = 0; id < tasks_.size(); ++id)
    tell({now_s_, TaskPlanned{.task = {id, 1, tasks_[id].name},
                              .node = tasks_[id].node,
                              .on_device = tasks_[id].on_device,
                              .expected_s = tasks_[id].expected_s,
                              .after = tasks_[id].after}});
  while (std::ranges::count(ended_, false) > 0) {
    start_what_is_ready(tell);
    now_s_ += 1;
    const bool beside = std::ranges::all_of(on_devices_, [](const Slot& slot) { return slot.task.has_value(); });
    for (auto& slot : on_devices_) go_on(slot, beside ? pace_beside_another_ : 1, tell);
    go_on(on_cpu_, 1, tell);
    each_second(now_s_ - began_s);
  }
  return now_s_ - began_s;
}

}  // namespace atelier
