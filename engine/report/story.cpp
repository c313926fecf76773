#include "report/story.h"

#include <algorithm>

namespace atelier {

std::string_view name_of(TaskState state) noexcept {
  constexpr std::string_view names[] = {"waiting", "running", "finished", "reused",
                                        "failed",  "skipped", "stopped",  "lost"};
  return names[static_cast<std::size_t>(state)];
}

std::size_t RunStory::customers_that(CustomerFinished::Result result) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(customers, [&](const auto& one) { return one.end && one.end->result == result; }));
}

void StoryTeller::on(const Event& event) {
  if (event.as<RunStarted>()) story_.began_s = event.time_s;
  story_.last_s = event.time_s;
  now_s_ = event.time_s - story_.began_s;
  std::visit([&](const auto& what) { see(what); }, event.what);
}

RunStory StoryTeller::finish() && {
  for (const auto& [task, span] : open_) story_.spans[span].to_s = story_.last_s - story_.began_s;
  return std::move(story_);
}

// In another wave the same work may have another id; its name stays.
TaskStory& StoryTeller::task(const TaskRef& ref) {
  const auto [found, is_new] = tasks_.try_emplace(ref.name, story_.tasks.size());
  if (is_new) {
    auto& task = story_.tasks.emplace_back();
    task.name = ref.name;
    task.step = ref.name.substr(0, ref.name.rfind('/'));
  }
  return story_.tasks[found->second];
}

TaskStory& StoryTeller::end(const TaskRef& ref, TaskState state) {
  TaskStory& ended = task(ref);
  ended.state = state;
  if (const auto open = open_.extract(tasks_.at(ref.name))) {
    Span& span = story_.spans[open.mapped()];
    span.to_s = now_s_;
    span.ended = state;
  }
  return ended;
}

CustomerStory& StoryTeller::customer(const std::string& id) {
  const auto [found, is_new] = customers_.try_emplace(id, story_.customers.size());
  if (is_new) story_.customers.push_back({id});
  return story_.customers[found->second];
}

void StoryTeller::see(const RunStarted& e) {
  story_.opening = e;
  for (const auto& id : e.customer_ids) customer(id);
}

void StoryTeller::see(const WaveStarted& e) { story_.waves = e.wave; }

void StoryTeller::see(const TaskPlanned& e) {
  TaskStory& planned = task(e.task);
  planned.step = e.step;
  planned.node = e.node;
  planned.customers = e.customers;
  if (planned.state == TaskState::lost) planned.state = TaskState::waiting;
}

void StoryTeller::see(const TaskStarted& e) {
  TaskStory& started = task(e.task);
  started.state = TaskState::running;
  started.node = e.node;
  started.device = e.device;
  started.reason = e.reason;
  started.key = e.key;
  started.attempts = e.attempt;
  started.why.clear();
  const std::size_t index = tasks_.at(e.task.name);
  open_[index] = story_.spans.size();
  story_.spans.push_back({index, e.device, now_s_, now_s_});
}

void StoryTeller::see(const TaskProgress& e) {
  TaskStory& running = task(e.task);
  running.fraction = e.fraction;
  running.doing = e.what;
}

void StoryTeller::see(const TaskMetric& e) { task(e.task).curves[e.name].add(static_cast<double>(e.step), e.value); }

void StoryTeller::see(const TaskWarning& e) {
  auto& warnings = task(e.task).warnings;
  if (std::ranges::find(warnings, e.text) == warnings.end()) warnings.push_back(e.text);
}

void StoryTeller::see(const TaskPreview& e) {
  TaskStory& shown = task(e.task);
  shown.key = e.key;
  const auto same = std::ranges::find(shown.previews, e.name, &PreviewStory::name);
  if (same != shown.previews.end())
    same->digest = e.digest;
  else
    shown.previews.push_back({e.name, e.digest});
}

void StoryTeller::see(const TaskFinished& e) {
  TaskStory& finished = end(e.task, TaskState::finished);
  finished.key = e.key;
  finished.seconds = e.seconds;
  finished.bytes = 0;
  for (const auto& [port, output] : e.outputs) finished.bytes += output.size_bytes;
}

void StoryTeller::see(const TaskReused& e) {
  TaskStory& reused = end(e.task, TaskState::reused);
  reused.reason = e.reason;
  if (e.key) reused.key = e.key;
  reused.saved_s = e.saved_s;
  reused.made_in = e.made_in;
  reused.curves_in_cache = e.curves;
}

void StoryTeller::see(const TaskRetried& e) {
  ++story_.retries;
  end(e.task, TaskState::failed).why = e.message;
  task(e.task).state = TaskState::waiting;
}

void StoryTeller::see(const TaskFailed& e) {
  TaskStory& failed = end(e.task, TaskState::failed);
  failed.kind = e.kind;
  failed.why = e.message;
  failed.log = e.log;
}

void StoryTeller::see(const TaskSkipped& e) { end(e.task, TaskState::skipped).why = e.reason; }

void StoryTeller::see(const TaskStopped& e) { end(e.task, TaskState::stopped); }

void StoryTeller::see(const TaskInputLost& e) { end(e.task, TaskState::lost).why = e.message; }

void StoryTeller::see(const OutputWritten& e) {
  TaskStory& written = end(e.task, TaskState::finished);
  written.path = e.path;
  written.seconds = e.seconds;
}

void StoryTeller::see(const CustomerFinished& e) { customer(e.customer).end = e; }
void StoryTeller::see(const StopRequested& e) { story_.stop = e; }
void StoryTeller::see(const RunFinished& e) { story_.end = e; }

}  // namespace atelier
