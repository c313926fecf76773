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
  log_.add(fmt::format("step {}: {} {:.6g}", step, name, value));
  around_.events.emit(TaskMetric{task_, std::string(name), step, value});
}

void TaskContext::warn(std::string text) {
  {
    const std::lock_guard hold(mutex_);
    warnings_.push_back(text);
  }
  log_.add("warning: " + text);
  around_.events.emit(TaskWarning{task_, std::move(text), false});
}

// A preview that cannot be written is no reason to fail: the report lacks a picture.
void TaskContext::preview(std::string_view name, std::span<const std::byte> png) {
  const auto folder = std::filesystem::path("previews") / file_name_of(task_.name);
  const auto relative = folder / (file_name_of(name) + ".png");
  auto written = around_.files.make_folders(around_.folder.path / folder);
  if (written) written = write_file(around_.files, around_.folder.path / relative, png);
  if (written)
    around_.events.emit(TaskPreview{task_, std::string(name), relative.generic_string()});
  else
    log_.add("no preview: " + written.error().message);
}

std::optional<Artifact> TaskContext::load_checkpoint() {
  used_checkpoints_ = true;
  auto state = around_.store.checkpoint(key_);
  log_.add(state ? "goes on from a checkpoint" : "starts from the beginning");
  return state;
}

Expected<void> TaskContext::save_checkpoint(const Artifact& state) {
  used_checkpoints_ = true;
  return around_.store.put_checkpoint(key_, state);
}

std::vector<std::string> TaskContext::warnings() const {
  const std::lock_guard hold(mutex_);
  return warnings_;
}

}  // namespace atelier
