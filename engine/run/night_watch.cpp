#include "run/night_watch.h"

#include <algorithm>
#include <span>

namespace atelier {
namespace {

constexpr double shown_from_s = 3;      // before that nothing is known
constexpr double between_s = 1;         // what is left is found anew so often
constexpr double between_large_s = 30;  // of many tasks
constexpr std::size_t many_tasks = 20'000;
constexpr std::size_t recent_tasks = 8;  // of a node: enough to even out, few enough to follow a change
constexpr double late_start = 0.1;       // a task that begins so far on began in another run
constexpr double least_fraction = 0.02;  // before that a running task's pace is chance

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

void NightWatch::on(const Event& event) {
  now_s_ = event.time_s;
  std::visit([this](const auto& what) { see(what); }, event.what);
}

void NightWatch::see(const RunStarted& e) {
  customers_ = e.customers;
  began_s_ = now_s_;
  devices_ = std::max<std::size_t>(1, e.devices.size());
  const bool on_host = !e.devices.empty() && e.devices.front().starts_with("cpu");
  const std::size_t held = on_host ? devices_ * static_cast<std::size_t>(std::max(1, e.threads_per_device)) : 0;
  const auto cores = static_cast<std::size_t>(std::max(1, e.cores));
  cpu_tasks_ = cores > held ? cores - held : 1;
}

void NightWatch::see(const WaveStarted& e) {
  running_.clear();
  known_.assign(e.tasks, {});
  after_.clear();
  tasks_ = tasks_done_ + e.to_run + e.waiting + e.skipped;
  left_s_.reset();
}

std::uint32_t NightWatch::node_place(const std::string& node) {
  const auto found = std::ranges::find(ratios_, node, &Ratios::node);
  if (found != ratios_.end()) return static_cast<std::uint32_t>(found - ratios_.begin());
  ratios_.push_back({node});
  return static_cast<std::uint32_t>(ratios_.size() - 1);
}

void NightWatch::see(const TaskPlanned& e) {
  if (e.settled || e.task.id >= known_.size()) return;
  known_[e.task.id] = {.expected_s = static_cast<float>(e.expected_s),
                       .node = node_place(e.node),
                       .first_after = static_cast<std::uint32_t>(after_.size()),
                       .afters = static_cast<std::uint32_t>(e.after.size()),
                       .on_device = e.on_device,
                       .state = State::ahead};
  after_.insert(after_.end(), e.after.begin(), e.after.end());
}

void NightWatch::see(const TaskStarted& e) {
  running_[e.task.id] = {.name = e.task.name, .device = e.device, .started_s = now_s_};
  if (e.task.id < known_.size()) known_[e.task.id].state = State::runs;
}

void NightWatch::see(const TaskProgress& e) {
  const auto found = running_.find(e.task.id);
  if (found == running_.end()) return;
  found->second.fraction.at(now_s_, e.fraction);
  found->second.what = e.what;
}

void NightWatch::see(const TaskMetric& e) {
  const auto found = running_.find(e.task.id);
  if (found == running_.end()) return;
  Running& running = found->second;
  if (running.metric.empty()) running.metric = e.name;  // a task's first metric is its main one
  if (running.metric != e.name) return;
  running.value = e.value;
  running.steps.at(now_s_, static_cast<double>(e.step));
}

// What went on from a checkpoint took less than all of it: of that the pace tells.
void NightWatch::see(const TaskFinished& e) {
  const auto found = running_.find(e.task.id);
  if (found != running_.end() && e.task.id < known_.size() && known_[e.task.id].expected_s > 0) {
    const bool resumed = found->second.fraction.first_done() > late_start;
    const double took_s = resumed ? whole_of(found->second).value_or(e.seconds) : e.seconds;
    auto& recent = ratios_[known_[e.task.id].node].recent;
    recent.push_back(took_s / known_[e.task.id].expected_s);
    if (recent.size() > recent_tasks) recent.pop_front();
  }
  end(e.task);
}

void NightWatch::see(const TaskReused& e) {
  if (!e.planned) end(e.task);
}

void NightWatch::see(const TaskRetried& e) {
  running_.erase(e.task.id);
  if (e.task.id < known_.size()) known_[e.task.id].state = State::ahead;
}

void NightWatch::see(const CustomerFinished& e) {
  if (e.result == CustomerFinished::Result::stopped) return;
  ++customers_done_;
  if (e.result == CustomerFinished::Result::failed) ++customers_failed_;
}

void NightWatch::end(const TaskRef& task) {
  ++tasks_done_;
  running_.erase(task.id);
  if (task.id < known_.size()) known_[task.id].state = State::ended;
}

// What all of a running task takes at its recent pace; empty where that is not known yet.
std::optional<double> NightWatch::whole_of(const Running& running) const {
  if (running.fraction.last_done() < least_fraction) return std::nullopt;
  const auto per_s = running.fraction.per_s();
  return per_s ? std::optional(1 / *per_s) : std::nullopt;
}

std::optional<double> NightWatch::left_of(const Running& running) const {
  const auto whole_s = whole_of(running);
  if (!whole_s) return std::nullopt;
  const double left_s = (1 - running.fraction.last_done()) * *whole_s - (now_s_ - running.fraction.last_s());
  return std::max(0.0, left_s);
}

// By node; 1 of those of which nothing was seen tonight.
std::vector<double> NightWatch::ratios_now() const {
  std::vector<std::vector<double>> seen(ratios_.size());
  for (std::size_t i = 0; i < ratios_.size(); ++i) seen[i].assign(ratios_[i].recent.begin(), ratios_[i].recent.end());
  for (const auto& [id, running] : running_) {
    if (id >= known_.size() || known_[id].expected_s <= 0) continue;
    if (const auto whole_s = whole_of(running)) seen[known_[id].node].push_back(*whole_s / known_[id].expected_s);
  }
  std::vector<double> ratios(ratios_.size(), 1);
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (!seen[i].empty()) ratios[i] = median(seen[i]);
  return ratios;
}

NightAhead NightWatch::ahead() const {
  NightAhead night{.devices = devices_, .cpu_tasks = cpu_tasks_};
  const auto ratios = ratios_now();
  std::vector<std::uint32_t> place(known_.size());
  for (std::uint32_t id = 0; id < known_.size(); ++id) {
    const Known& task = known_[id];
    if (task.state == State::ended) continue;
    place[id] = static_cast<std::uint32_t>(night.tasks.size());
    TaskAhead one{.left_s = task.expected_s * ratios[task.node], .on_device = task.on_device};
    if (const auto running = running_.find(id); running != running_.end()) {
      one.runs = true;
      one.left_s = left_of(running->second).value_or(std::max(0.0, one.left_s - (now_s_ - running->second.started_s)));
    }
    night.tasks.push_back(std::move(one));
    for (const auto before : std::span(after_).subspan(task.first_after, task.afters))
      if (known_[before].state != State::ended) night.tasks[place[before]].dependents.push_back(place[id]);
  }
  return night;
}

std::optional<double> NightWatch::night_left_s() {
  if (stopping_ || known_.empty() || now_s_ - began_s_ < shown_from_s) return std::nullopt;
  const double between = known_.size() > many_tasks ? between_large_s : between_s;
  if (!left_s_ || now_s_ - left_at_s_ >= between) {
    left_s_ = time_left_s(ahead());
    left_at_s_ = now_s_;
  }
  return std::max(0.0, *left_s_ - (now_s_ - left_at_s_));
}

RunningTask NightWatch::shown(const Running& running) const {
  return {.name = running.name,
          .device = running.device,
          .what = running.what,
          .metric = running.metric,
          .value = running.value,
          .steps_per_s = running.steps.per_s(),
          .left_s = left_of(running)};
}

NightView NightWatch::view() {
  NightView view{.customers = customers_,
                 .customers_done = customers_done_,
                 .customers_failed = customers_failed_,
                 .tasks = tasks_,
                 .tasks_done = std::min(tasks_done_, tasks_),
                 .left_s = night_left_s()};
  for (const auto& [id, running] : running_) view.running.push_back(shown(running));
  std::ranges::stable_sort(view.running, {},
                           [](const RunningTask& task) { return std::pair(task.device == "cpu", task.device); });
  return view;
}

nlohmann::ordered_json to_json(const NightView& view) {
  nlohmann::ordered_json json = {{"customers", view.customers},
                                 {"customers_done", view.customers_done},
                                 {"customers_failed", view.customers_failed},
                                 {"tasks", view.tasks},
                                 {"tasks_done", view.tasks_done}};
  if (view.left_s) json["left_s"] = *view.left_s;
  json["running"] = nlohmann::ordered_json::array();
  for (const auto& task : view.running) {
    nlohmann::ordered_json one = {{"task", task.name}, {"device", task.device}};
    if (!task.what.empty()) one["what"] = task.what;
    if (!task.metric.empty()) {
      one["metric"] = task.metric;
      one["value"] = task.value;
    }
    if (task.steps_per_s) one["steps_per_s"] = *task.steps_per_s;
    if (task.left_s) one["left_s"] = *task.left_s;
    json["running"].push_back(std::move(one));
  }
  return json;
}

}  // namespace atelier
