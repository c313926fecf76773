#include "run/task_context.h"

#include <algorithm>

#include <fmt/format.h>

namespace atelier {
namespace {

constexpr std::chrono::milliseconds between_progress{200};  // a person reads no faster, and each is a line in the log

}  // namespace

TaskContext::~TaskContext() {
  if (!scratch_.empty()) (void)around_.files.remove_all(scratch_);
}

std::filesystem::path TaskContext::scratch() {
  const std::lock_guard hold(mutex_);
  if (!scratch_.empty()) return scratch_;
  const auto folder = around_.folder.scratch() / fmt::format("{}-{}-{}", task_.wave, task_.id, key_.brief());
  auto made = around_.files.remove_all(folder);
  if (made) made = around_.files.make_folders(folder);
  if (!made) throw Fault(made.error().message);
  return scratch_ = folder;
}

void TaskContext::progress(double fraction, std::string_view what) {
  if (!attempt_.sign()) return;
  const auto now = around_.clock.now();
  {
    const std::lock_guard hold(mutex_);
    if (told_any_ && now - told_ < between_progress && fraction < 1) return;
    told_any_ = true;
    told_ = now;
  }
  around_.events.emit(TaskProgress{task_, std::clamp(fraction, 0.0, 1.0), std::string(what)});
}

void TaskContext::metric(std::string_view name, std::int64_t step, double value) {
  if (!attempt_.sign()) return;
  attempt_.log.add(fmt::format("step {}: {} {:.6g}", step, name, value));
  {
    const std::lock_guard hold(mutex_);
    shown_.curves[std::string(name)][step] = value;
  }
  around_.events.emit(TaskMetric{task_, std::string(name), step, value});
}

void TaskContext::warn(std::string text) {
  if (!attempt_.sign()) return;
  {
    const std::lock_guard hold(mutex_);
    warnings_.push_back(text);
  }
  attempt_.log.add("warning: " + text);
  around_.events.emit(TaskWarning{task_, std::move(text), false});
}

void TaskContext::log(std::string line) {
  if (attempt_.sign()) attempt_.log.add(std::move(line));
}

void TaskContext::preview(std::string_view name, std::span<const std::byte> png) {
  if (!attempt_.sign()) return;
  TaskPreview told{task_, std::string(name), sha256(png), key_};
  {
    const std::lock_guard hold(mutex_);
    shown_.show({told.name, told.digest, {png.begin(), png.end()}});
  }
  around_.events.emit(std::move(told));
}

void TaskContext::preview_at(std::string_view name, const std::filesystem::path& png) {
  if (const auto bytes = read_text(around_.files, png))
    preview(name, std::as_bytes(std::span(*bytes)));
  else
    attempt_.log.add("no preview: " + bytes.error().message);
}

std::optional<Artifact> TaskContext::load_checkpoint() {
  (void)attempt_.sign();
  auto state = around_.store.checkpoint(key_);
  looked_for_checkpoint(state.has_value());
  return state;
}

void TaskContext::looked_for_checkpoint(bool found) {
  used_checkpoints_ = true;
  attempt_.log.add(found ? "goes on from a checkpoint" : "starts from the beginning");
  if (!found) return;
  resumed_ = true;
  if (auto before = get_shown(around_.store, key_)) {
    const std::lock_guard hold(mutex_);
    shown_ = std::move(*before);
  }
}

Expected<void> TaskContext::save_checkpoint(const Artifact& state) {
  (void)attempt_.sign();
  if (auto ready = before_checkpoint(); !ready) return ready;
  return around_.store.put_checkpoint(key_, state);
}

Expected<void> TaskContext::own() {
  if (!own_) return {};
  if (auto owned = own_(); !owned) return owned;
  own_ = {};
  return {};
}

// What was shown so far goes along with the checkpoint, for a report of a run that is still going and for the run that
// goes on from there. That it cannot be kept is no reason to fail: the report lacks a picture.
Expected<void> TaskContext::before_checkpoint() {
  used_checkpoints_ = true;
  if (auto owned = own(); !owned) return owned;
  if (const Shown so_far = shown(); !so_far.empty())
    if (const auto kept = put_shown(around_.store, key_, so_far.to_artifact()); !kept)
      attempt_.log.add("no previews: " + kept.error().message);
  return {};
}

Shown TaskContext::shown() const {
  const std::lock_guard hold(mutex_);
  return shown_;
}

std::vector<std::string> TaskContext::warnings() const {
  const std::lock_guard hold(mutex_);
  return warnings_;
}

}  // namespace atelier
