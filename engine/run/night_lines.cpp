#include "run/night_lines.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/amounts.h"

namespace atelier {
namespace {

constexpr std::size_t most_devices = 8;    // lines; more would fill a terminal
constexpr std::size_t most_cpu_tasks = 3;  // named in their line

using Parts = std::vector<std::string>;

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string cut(const std::string& text, std::size_t columns) {
  std::size_t points = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U) continue;
    if (points++ == columns) return text.substr(0, i);
  }
  return text;
}

std::string joined(const Parts& parts) {
  Parts some;
  std::ranges::copy_if(parts, std::back_inserter(some), [](const std::string& part) { return !part.empty(); });
  return fmt::format("{}", fmt::join(some, ", "));
}

// The parts in a line; the first of `leave_out` (their places) that must go are left out.
std::string fitted(Parts parts, std::initializer_list<std::size_t> leave_out, std::size_t columns) {
  for (const std::size_t place : leave_out) {
    if (width_of(joined(parts)) <= columns) break;
    parts[place].clear();
  }
  return joined(parts);
}

std::string night_line(const NightView& view, std::size_t columns) {
  const std::string failed = view.customers_failed > 0 ? fmt::format("{} failed", view.customers_failed) : "";
  const std::string left =
      view.left_s && *view.left_s > 0 ? fmt::format("about {} left", show_duration(*view.left_s)) : "";
  return fitted({fmt::format("{}/{} customers", view.customers_done, view.customers), failed,
                 fmt::format("{}/{} tasks", view.tasks_done, view.tasks), left},
                {2, 1}, columns);
}

// "2.1 steps/s", and of what is slower than one "1.9 s/step"; briefly "2.1/s".
std::string show_pace(std::optional<double> steps_per_s, bool briefly) {
  constexpr double whole_from = 100;
  if (!steps_per_s) return "";
  if (*steps_per_s < 1) return fmt::format("{:.1f} s/step", 1 / *steps_per_s);
  return fmt::format("{:.{}f}{}/s", *steps_per_s, *steps_per_s < whole_from ? 1 : 0, briefly ? "" : " steps");
}

std::string device_line(const RunningTask& task, std::size_t columns) {
  const std::string name = task.device + " " + task.name, pace = show_pace(task.steps_per_s, false);
  const std::string metric = task.metric.empty() ? "" : fmt::format("{} {:.4f}", task.metric, task.value);
  const std::string left = task.left_s ? fmt::format("{} left", show_duration(*task.left_s)) : "";
  const std::string line = fitted({name, task.what, pace, metric, left}, {4, 1}, columns);
  return width_of(line) <= columns ? line : fitted({name, show_pace(task.steps_per_s, true), metric}, {2, 1}, columns);
}

std::string cpu_line(const Parts& names) {
  const Parts first(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), most_cpu_tasks)));
  const std::string more = names.size() > first.size() ? fmt::format(" and {} more", names.size() - first.size()) : "";
  return fmt::format("cpu {}{}", fmt::join(first, ", "), more);
}

}  // namespace

std::vector<std::string> night_lines(const NightView& view, std::size_t columns) {
  std::vector<std::string> lines{night_line(view, columns)};
  Parts on_cpu;
  std::size_t on_devices = 0;
  for (const auto& task : view.running) {
    if (task.device == "cpu")
      on_cpu.push_back(task.name);
    else if (++on_devices <= most_devices)
      lines.push_back(device_line(task, columns));
  }
  if (on_devices > most_devices) lines.push_back(fmt::format("and {} more on devices", on_devices - most_devices));
  if (!on_cpu.empty()) lines.push_back(cpu_line(on_cpu));
  for (auto& line : lines) line = cut(line, columns);
  return lines;
}

}  // namespace atelier
