#include "run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "base/amounts.h"

namespace atelier {
namespace {

constexpr std::string_view red = "\x1b[31m", yellow = "\x1b[33m", green = "\x1b[32m", plain = "\x1b[0m";
constexpr std::string_view erase_line = "\r\x1b[2K";
constexpr double eta_from_s = 3;       // before that a guess says nothing
constexpr std::size_t most_named = 3;  // running tasks in the line

// Cut to `columns` code points.
std::string cut(const std::string& text, std::size_t columns) {
  std::size_t points = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) continue;
    if (points++ == columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace

Progress::Style progress_style(int file_descriptor) {
  Progress::Style style;
  style.terminal = ::isatty(file_descriptor) == 1;
  const char* const no_colour = std::getenv("NO_COLOR");
  style.colour = style.terminal && !(no_colour && *no_colour);
  winsize size{};
  if (style.terminal && ::ioctl(file_descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    style.columns = size.ws_col;
  return style;
}

void Progress::on(const Event& event) {
  now_s_ = event.time_s;
  changed_ = true;
  std::visit([this](const auto& what) { see(what); }, event.what);
}

void Progress::see(const RunStarted& e) {
  customers_ = e.customers;
  began_s_ = now_s_;
}

void Progress::see(const WaveStarted& e) {
  running_.clear();
  tasks_ = tasks_done_ + e.to_run + e.waiting + e.skipped;
  to_do_s_ = done_s_ + e.guess_s;
  if (e.wave > 1) tell(fmt::format("wave {}: what was lost is made again", e.wave), yellow);
}

void Progress::see(const TaskProgress& e) {
  auto& running = running_[e.task.id];
  running.fraction = e.fraction;
  running.what = e.what;
}

void Progress::see(const TaskMetric& e) {
  auto& running = running_[e.task.id];
  if (running.metric_name.empty()) running.metric_name = e.name;  // a task's first metric is its main one
  if (running.metric_name == e.name) running.metric = fmt::format("{} {:.4f}", e.name, e.value);
}

void Progress::see(const TaskWarning& e) {
  if (!e.reused) tell(fmt::format("{}: warning: {}", e.task.name, e.text), yellow);
}

void Progress::see(const TaskFinished& e) {
  end(e.task);
  if (!style_.terminal) tell(fmt::format("{}: done in {}", e.task.name, show_duration(e.seconds)));
}

void Progress::see(const TaskReused& e) {
  if (!e.planned) end(e.task);
}

void Progress::see(const OutputWritten& e) {
  end(e.task);
  if (!style_.terminal) tell(fmt::format("{}: written to {}", e.task.name, e.path));
}

void Progress::see(const TaskRetried& e) {
  running_.erase(e.task.id);
  tell(fmt::format("{}: attempt {} failed: {}; tried again", e.task.name, e.attempt, e.message), yellow);
}

void Progress::see(const TaskFailed& e) {
  end(e.task);
  tell(fmt::format("{}: failed: {}", e.task.name, e.message), red);
}

void Progress::see(const TaskSkipped& e) { end(e.task); }
void Progress::see(const TaskStopped& e) { end(e.task); }

void Progress::see(const TaskInputLost& e) {
  end(e.task);
  tell(fmt::format("{}: {}; goes on in another wave", e.task.name, e.message), yellow);
}

void Progress::see(const CustomerFinished& e) {
  if (e.result == CustomerFinished::Result::stopped) return;
  ++customers_done_;
  const bool well = e.result == CustomerFinished::Result::succeeded;
  tell(fmt::format("{}: {}", e.customer, well ? "finished" : "failed"), well ? green : red);
}

void Progress::see(const StopRequested& e) {
  tell(e.signal == 0 ? fmt::format("stopping: {}", e.reason)
                     : "stopping: what runs saves its state; once more to stop at once",
       yellow);
}

void Progress::see(const RunFinished&) {
  clear();
  changed_ = false;  // the last word is the summary's
}

void Progress::see(const TaskStarted& started) {
  running_[started.task.id] = {
      .name = started.task.name, .device = started.device != "cpu", .guess_s = started.guess_s};
  if (!style_.terminal && started.device != "cpu")
    tell(fmt::format("{}: started on {} ({})", started.task.name, started.device, started.reason));
}

void Progress::end(const TaskRef& task) {
  ++tasks_done_;
  const auto found = running_.find(task.id);
  if (found == running_.end()) return;
  done_s_ += found->second.guess_s;
  running_.erase(found);
}

std::string Progress::eta() const {
  const double elapsed = now_s_ - began_s_;
  double done = done_s_;
  for (const auto& [id, running] : running_) done += running.fraction * running.guess_s;
  if (elapsed < eta_from_s || done <= 0 || to_do_s_ <= done) return "";
  return fmt::format(", about {} left", show_duration(elapsed * (to_do_s_ - done) / done));
}

std::string Progress::line() const {
  std::string text =
      fmt::format("{}/{} customers, {}/{} tasks", customers_done_, customers_, std::min(tasks_done_, tasks_), tasks_);
  std::size_t named = 0;
  for (const bool device : {true, false})  // trainings first
    for (const auto& [id, running] : running_) {
      if (running.device != device || running.name.empty() || named++ >= most_named) continue;
      text += ", " + running.name;
      for (const auto& part : {running.what, running.metric})
        if (!part.empty()) text += " " + part;
    }
  return text + eta();
}

void Progress::beat() {
  if (!style_.terminal || !changed_) return;
  changed_ = false;
  drawn_ = true;
  write_(fmt::format("{}{}", erase_line, cut(line(), static_cast<std::size_t>(std::max(1, style_.columns - 1)))));
}

void Progress::clear() {
  if (drawn_) write_(erase_line);
  drawn_ = false;
}

void Progress::tell(std::string_view text, std::string_view colour) {
  clear();
  if (style_.colour && !colour.empty())
    write_(fmt::format("{}{}{}\n", colour, text, plain));
  else
    write_(fmt::format("{}\n", text));
}

}  // namespace atelier
