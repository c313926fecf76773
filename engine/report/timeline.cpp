#include "report/timeline.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/amounts.h"
#include "report/lanes.h"
#include "report/text.h"

namespace atelier {
namespace {

constexpr double width = 1000, left = 70, row_height = 16, row_gap = 2, lane_gap = 10, axis_height = 22;  // px
constexpr double least_drawn = 0.4;    // px: what is narrower joins its neighbour
constexpr std::size_t most_kinds = 7;  // with a colour of their own; the rest is grey

// The nodes that took the most time, in order; what is not among them is "other".
std::vector<std::string> kinds_of(const RunStory& story) {
  std::map<std::string, double> seconds;
  for (const Span& span : story.spans) {
    const auto& node = story.tasks[span.task].node;
    seconds[node.empty() ? "output" : node] += span.to_s - span.from_s;
  }
  std::vector<std::string> kinds;
  for (const auto& [kind, s] : seconds) kinds.push_back(kind);
  std::ranges::stable_sort(kinds, std::greater<>(), [&](const auto& kind) { return seconds[kind]; });
  if (kinds.size() > most_kinds) kinds.resize(most_kinds);
  return kinds;
}

class TimelineDrawing {
 public:
  explicit TimelineDrawing(const RunStory& story)
      : story_(story), lanes_(lanes_of(story)), kinds_(kinds_of(story)), seconds_(std::max(story.seconds(), 0.001)) {
    for (const Span& span : story.spans) seconds_ = std::max(seconds_, span.to_s);
  }

  std::string html() const {
    std::string marks;
    double y = 0;
    for (const Lane& lane : lanes_) {
      const double top = y;
      marks += fmt::format("<text class=\"device\" x=\"0\" y=\"{:.0f}\">{}</text>", top + 12, escaped(lane.device));
      for (const auto& row : lane.rows) {
        marks += row_marks(row, y);
        y += row_height + row_gap;
      }
      if (lane.rows.empty()) y += row_height + row_gap;
      y += lane_gap;
    }
    return fmt::format(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Timeline\" tabindex=\"0\"><svg class=\"timeline\" "
        "role=\"img\" "
        "aria-labelledby=\"timeline-title timeline-desc\" viewBox=\"0 0 {} {}\"><title id=\"timeline-title\">Tasks per "
        "device "
        "over time</title><desc id=\"timeline-desc\">{}</desc>{}{}</svg></div>\n{}",
        width, y + axis_height, escaped(in_words()), axis(y), marks, legend());
  }

 private:
  double x(double seconds) const { return left + seconds / seconds_ * (width - left - 1); }

  int kind_of(const TaskStory& task) const {
    const auto found = std::ranges::find(kinds_, task.node.empty() ? "output" : task.node);
    return static_cast<int>(found - kinds_.begin());
  }

  std::string row_marks(const std::vector<const Span*>& row, double y) const {
    std::string marks;
    double drawn_to = -1;
    for (const Span* const span : row) {
      const TaskStory& task = story_.tasks[span->task];
      const double from = x(span->from_s), to = x(span->to_s);
      if (to - from < least_drawn && from - drawn_to < least_drawn && span->ended != TaskState::failed) continue;
      drawn_to = std::max(to, from + 2 * least_drawn);
      const bool failed = span->ended == TaskState::failed;
      marks += fmt::format(
          "<rect class=\"k{}{}\" x=\"{:.1f}\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"{}\"><title>{}{}: "
          "{}{}</title></rect>",
          kind_of(task), failed ? " bad" : "", from, y, drawn_to - from, row_height, escaped(task.name),
          task.node.empty() ? "" : " (" + escaped(task.node) + ")", show_duration(span->to_s - span->from_s),
          failed                              ? ", failed"
          : span->ended == TaskState::running ? ", running"
                                              : "");
    }
    return marks;
  }

  std::string axis(double height) const {
    std::string svg;
    const double step = tick_s();
    for (double s = 0; s <= seconds_; s += step)
      svg += fmt::format(
          "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"0\" y2=\"{1:.0f}\"/>"
          "<text x=\"{0:.1f}\" y=\"{2:.0f}\" text-anchor=\"{3}\">{4}</text>",
          x(s), height, height + 15, x(s) > width - 30 ? "end" : "middle", tick_text(s, step));
    return svg;
  }

  double tick_s() const {
    constexpr double steps[] = {0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400};
    constexpr double most_ticks = 10;
    for (const double step : steps)
      if (seconds_ / step <= most_ticks) return step;
    return 86400;
  }

  static std::string tick_text(double s, double step) {
    if (step < 1) return fmt::format("{:.1f} s", s);
    const auto whole = static_cast<long>(std::lround(s));
    if (step < 60 && whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
    return fmt::format("{}:{:02} h", whole / 3600, whole % 3600 / 60);
  }

  std::string legend() const {
    std::string items;
    for (std::size_t i = 0; i < kinds_.size(); ++i)
      items += fmt::format("<li><span class=\"swatch k{}\"></span>{}</li>", i, escaped(kinds_[i]));
    if (kinds_.size() == most_kinds)
      items += fmt::format("<li><span class=\"swatch k{}\"></span>other</li>", most_kinds);
    return "<ul class=\"legend\" aria-label=\"Colours of the timeline\">" + items + "</ul>\n";
  }

  std::string in_words() const {
    std::string words;
    for (const Lane& lane : lanes_)
      words += fmt::format("{} was busy {:.0f} % of {}. ", lane.device, 100 * lane.busy_s / seconds_,
                           show_duration(seconds_));
    return words;
  }

  const RunStory& story_;
  std::vector<Lane> lanes_;
  std::vector<std::string> kinds_;
  double seconds_;
};

std::string device_table(const RunStory& story) {
  std::string html =
      "<table><caption>Devices</caption><thead><tr><th scope=\"col\">Device</th><th scope=\"col\" "
      "class=\"n\">Starts</th>"
      "<th scope=\"col\" class=\"n\">Busy</th><th scope=\"col\" class=\"n\">Share of the "
      "run</th></tr></thead><tbody>\n";
  const double seconds = std::max(story.seconds(), 0.001);
  for (const Lane& lane : lanes_of(story)) {
    std::size_t starts = 0;
    for (const auto& row : lane.rows) starts += row.size();
    html += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{:.0f} "
        "%</td></tr>\n",
        escaped(lane.device), show_count(starts), show_duration(lane.busy_s),
        std::min(100.0, 100 * lane.busy_s / seconds));
  }
  return html + "</tbody></table>\n";
}

}  // namespace

std::string timeline_section(const RunStory& story) {
  if (story.spans.empty()) return "<p>No task had to run.</p>\n";
  return TimelineDrawing(story).html() + device_table(story);
}

}  // namespace atelier
