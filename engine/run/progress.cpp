#include "run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/amounts.h"
#include "run/night_lines.h"

namespace atelier {
namespace {

constexpr std::string_view red = "\x1b[31m", yellow = "\x1b[33m", green = "\x1b[32m", plain = "\x1b[0m";
constexpr double between_told_s = 300;  // where the output is piped
constexpr std::size_t widest_plain = 200;

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
  watch_.on(event);
  std::visit([this](const auto& what) { see(what); }, event.what);
}

void Progress::see(const RunStarted&) { told_s_ = now_s_; }

void Progress::see(const WaveStarted& e) {
  if (e.wave > 1) tell(fmt::format("wave {}: what was lost is made again", e.wave), yellow);
}

void Progress::see(const TaskWarning& e) {
  if (!e.reused) tell(fmt::format("{}: warning: {}", e.task.name, e.text), yellow);
}

void Progress::see(const TaskFinished& e) {
  if (!style_.terminal) tell(fmt::format("{}: done in {}", e.task.name, show_duration(e.seconds)));
}

void Progress::see(const OutputWritten& e) {
  if (!style_.terminal) tell(fmt::format("{}: written to {}", e.task.name, e.path));
}

void Progress::see(const TaskRetried& e) {
  tell(fmt::format("{}: attempt {} failed: {}; tried again", e.task.name, e.attempt, e.message), yellow);
}

void Progress::see(const TaskFailed& e) { tell(fmt::format("{}: failed: {}", e.task.name, e.message), red); }

void Progress::see(const TaskInputLost& e) {
  tell(fmt::format("{}: {}; goes on in another wave", e.task.name, e.message), yellow);
}

void Progress::see(const CustomerFinished& e) {
  if (e.result == CustomerFinished::Result::stopped) return;
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
  if (!style_.terminal && started.device != "cpu")
    tell(fmt::format("{}: started on {} ({})", started.task.name, started.device, started.reason));
}

void Progress::beat() {
  if (style_.terminal) {
    if (changed_) draw();
    changed_ = false;
    return;
  }
  if (now_s_ - told_s_ < between_told_s) return;
  told_s_ = now_s_;
  for (const auto& line : night_lines(watch_.view(), widest_plain)) tell(line);
}

// No line may wrap, or the next drawing would begin too far down.
void Progress::draw() {
  clear();
  const auto lines = night_lines(watch_.view(), static_cast<std::size_t>(std::max(1, style_.columns - 1)));
  write_(fmt::format("{}", fmt::join(lines, "\n")));
  drawn_ = lines.size();
}

// Back to where the first of the drawn lines begins, and all from there on erased.
void Progress::clear() {
  if (drawn_ > 1) write_(fmt::format("\x1b[{}A", drawn_ - 1));
  if (drawn_ > 0) write_("\r\x1b[J");
  drawn_ = 0;
}

void Progress::tell(std::string_view text, std::string_view colour) {
  clear();
  if (style_.colour && !colour.empty())
    write_(fmt::format("{}{}{}\n", colour, text, plain));
  else
    write_(fmt::format("{}\n", text));
}

}  // namespace atelier
