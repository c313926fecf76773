#include "report/customer_card.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/amounts.h"
#include "report/chart.h"
#include "report/picture_tables.h"
#include "report/text.h"

namespace atelier {
namespace {

using Result = CustomerFinished::Result;

std::string folded(const std::string& summary, const std::string& body, Fold fold) {
  if (body.empty()) return {};
  return fmt::format("<details{}><summary>{}</summary>\n{}</details>\n", fold == Fold::open ? " open" : "", summary,
                     body);
}

std::string chip(const char* mood, const char* sign, std::string_view word) {
  return fmt::format("<span class=\"chip {}\"><span aria-hidden=\"true\">{}</span> {}</span>", mood, sign, word);
}

std::string state_chip(TaskState state) {
  switch (state) {
    case TaskState::finished:
      return chip("good", "✓", "done");
    case TaskState::reused:
      return chip("good", "↺", "reused");
    case TaskState::failed:
      return chip("bad", "✕", "failed");
    case TaskState::running:
      return chip("unsure", "…", "running");
    default:
      return chip("quiet", "–", name_of(state));
  }
}

std::string whose(const CustomerTasks& who) { return who.customer ? who.customer->id : ""; }

std::string counts(const CustomerTasks& who) {
  std::size_t ran = 0, reused = 0, left = 0;
  for (const auto* const task : who.tasks) {
    ran += task->state == TaskState::finished;
    reused += task->state == TaskState::reused;
    left += task->state == TaskState::waiting || task->state == TaskState::running;
  }
  std::string text = fmt::format("{} run, {} reused", plural(ran, "task", "tasks"), show_count(reused));
  if (left > 0) text += fmt::format(", {} to do", show_count(left));
  return text;
}

std::string running_now(const CustomerTasks& who) {
  std::string items;
  for (const auto* const task : who.tasks)
    if (task->state == TaskState::running)
      items += fmt::format("<li>{} on {}: {:.0f} % {}</li>\n", escaped(task->step), escaped(task->device),
                           100 * task->fraction, escaped(task->doing));
  return items.empty() ? "" : "<ul class=\"now\" aria-label=\"Running\">" + items + "</ul>\n";
}

std::string head(const CustomerTasks& who) {
  if (!who.customer) return fmt::format("<p class=\"muted\">{}</p>\n", counts(who)) + running_now(who);
  std::string html =
      fmt::format("<h3>{} {}</h3>\n<p class=\"muted\">", escaped(who.customer->id), result_chip(*who.customer));
  const auto& end = who.customer->end;
  if (end && end->result != Result::stopped) html += fmt::format("after {} · ", show_duration(end->seconds));
  html += counts(who) + "</p>\n";
  if (end && end->result == Result::failed)
    html += fmt::format("<p class=\"why\">Failed at <strong>{}</strong>: {} <a href=\"#failures\">More</a></p>\n",
                        escaped(end->failed_task), escaped(end->why));
  return html + running_now(who);
}

std::string trainings(const CustomerTasks& who, const Album& album) {
  std::string html;
  for (const auto* const task : who.tasks) {
    const auto curves = album.curves(*task);
    if (curves.empty()) continue;
    std::string losses, others;
    for (const auto& [name, curve] : curves)
      (name.find("loss") != std::string::npos ? losses : others) +=
          chart_html(name, task->step + (who.customer ? " of " + who.customer->id : ""), curve);
    html += fmt::format("<div class=\"training\"><p><strong>{}</strong> {} <span class=\"muted\">{}</span></p>\n",
                        escaped(task->step), state_chip(task->state),
                        task->state == TaskState::reused
                            ? "made in " + escaped(task->made_in.empty() ? "an earlier run" : task->made_in)
                            : fmt::format("{} on {}", show_duration(task->seconds), escaped(task->device)));
    html += "<div class=\"charts\">" + (losses.empty() ? others : losses) + "</div>\n";
    if (!losses.empty())
      html += folded("Other measurements", "<div class=\"charts\">" + others + "</div>\n", Fold::folded);
    html += "</div>\n";
  }
  return html.empty() ? html : "<div class=\"trainings\">" + html + "</div>\n";
}

std::string task_rows(const CustomerTasks& who) {
  std::string rows;
  for (const auto* const task : who.tasks) {
    const bool ran = task->state == TaskState::finished;
    const std::string note =
        task->state == TaskState::failed || task->state == TaskState::skipped ? task->why : task->reason;
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td><td>{}</td>"
        "</tr>\n",
        escaped(task->step), escaped(task->node), state_chip(task->state), escaped(task->device),
        ran ? show_duration(task->seconds) : "", task->bytes > 0 ? show_bytes(task->bytes) : "", escaped(note));
  }
  return rows;
}

std::string task_table(const CustomerTasks& who) {
  if (who.tasks.empty()) return {};
  const std::string caption = who.customer ? "Tasks of " + escaped(who.customer->id) : "Tasks of the batch";
  return fmt::format(
      "<div class=\"scroll\" role=\"region\" aria-label=\"{0}\" "
      "tabindex=\"0\"><table><caption>{0}</caption><thead><tr><th "
      "scope=\"col\">Step</th><th scope=\"col\">Node</th><th scope=\"col\">State</th><th scope=\"col\">Device</th><th "
      "scope=\"col\" class=\"n\">Took</th><th scope=\"col\" class=\"n\">Result</th><th "
      "scope=\"col\">Why</th></tr></thead>"
      "<tbody>\n{1}</tbody></table></div>\n",
      caption, task_rows(who));
}

std::string outputs(const CustomerTasks& who, const std::string& link_out) {
  if (!who.customer || !who.customer->end || who.customer->end->outputs.empty()) return {};
  std::string items;
  for (const auto& path : who.customer->end->outputs)
    items += link_out.empty()
                 ? fmt::format("<li><code>{}</code></li>\n", escaped(path))
                 : fmt::format("<li><a href=\"{}\">{}</a></li>\n", link_to(link_out + path), escaped(path));
  return "<ul class=\"outputs\">" + items + "</ul>\n";
}

}  // namespace

std::string result_chip(const CustomerStory& customer) {
  if (!customer.end) return chip("unsure", "…", "not done yet");
  switch (customer.end->result) {
    case Result::succeeded:
      return chip("good", "✓", "succeeded");
    case Result::failed:
      return chip("bad", "✕", "failed");
    default:
      return chip("unsure", "‖", "stopped");
  }
}

std::string customer_card(const CustomerTasks& who, const Album& own, const Album* batch, Frames& frames, Fold fold,
                          const std::string& link_out) {
  std::string html = head(who), galleries, strips;
  for (const auto& gallery : batch ? beside_the_batchs(own, *batch) : own.galleries())
    for (const auto& part : without_holes(gallery)) galleries += gallery_html(part, whose(who), frames);
  for (const auto& strip : own.strips()) strips += strip_html(strip, whose(who), frames);
  html += galleries + folded("Photos", strips, fold) + folded("Trainings", trainings(who, own), fold) +
          folded("Outputs", outputs(who, link_out), Fold::folded) + folded("Tasks", task_table(who), Fold::folded);
  if (!who.customer) return "<div class=\"card\">" + html + "</div>\n";
  return fmt::format("<article class=\"card\" id=\"{}\">{}</article>\n", anchor("c", who.customer->id), html);
}

}  // namespace atelier
