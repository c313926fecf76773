#include "report/failures.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "report/text.h"

namespace atelier {
namespace {

constexpr std::size_t most_failures = 100, most_warnings = 200, log_lines = 20;

std::string customers_hit(const RunStory& story, const std::string& task) {
  std::string list;
  std::size_t hit = 0;
  constexpr std::size_t most_named = 12;
  for (const auto& customer : story.customers) {
    if (!customer.end || customer.end->failed_task != task) continue;
    if (++hit > most_named) continue;
    list +=
        fmt::format("{}<a href=\"#{}\">{}</a>", hit > 1 ? ", " : "", anchor("c", customer.id), escaped(customer.id));
  }
  if (hit > most_named) list += fmt::format(" and {} more", show_count(hit - most_named));
  return list;
}

std::string kind_in_words(const std::string& kind) {
  static const std::map<std::string, std::string> words{{"input", "what was given is wrong"},
                                                        {"transient", "tried again without success"},
                                                        {"out_of_memory", "out of memory"},
                                                        {"crashed", "the process that it ran in is gone"},
                                                        {"fault", "a bug or a broken machine"},
                                                        {"input_lost", "what it needs was lost"}};
  const auto found = words.find(kind);
  return found == words.end() ? kind : found->second;
}

std::string failure_html(const RunStory& story, const TaskStory& task, const Evidence& evidence) {
  const std::string who = customers_hit(story, task.name);
  std::string html =
      fmt::format("<article class=\"failure\"><h3>{}</h3>\n<p class=\"why\">{}</p>\n<p class=\"muted\">{}",
                  escaped(task.name), escaped(task.why), escaped(kind_in_words(task.kind)));
  html += who.empty() ? "; it is no customer's alone" : "; customers: " + who;
  if (task.attempts > 1) html += fmt::format("; {} attempts", task.attempts);
  html += "</p>\n";
  const std::string lines = evidence.last_lines(task.log, log_lines);
  if (!lines.empty())
    html += fmt::format(
        "<details open><summary>Last lines of <a href=\"{}\">{}</a></summary><pre tabindex=\"0\">{}</pre></details>\n",
        link_to(task.log), escaped(task.log), escaped(lines));
  return html + "</article>\n";
}

}  // namespace

std::size_t failed_tasks(const RunStory& story) {
  return static_cast<std::size_t>(std::ranges::count(story.tasks, TaskState::failed, &TaskStory::state));
}

std::size_t warnings(const RunStory& story) {
  std::size_t n = 0;
  for (const auto& task : story.tasks) n += task.warnings.size();
  return n;
}

std::string failures_section(const RunStory& story, const Evidence& evidence) {
  std::string html;
  std::size_t told = 0;
  for (const auto& task : story.tasks)
    if (task.state == TaskState::failed && ++told <= most_failures) html += failure_html(story, task, evidence);
  if (told == 0) return "<p>Nothing failed.</p>\n";
  if (told > most_failures)
    html += fmt::format("<p>{} more are in the record, events.jsonl.</p>\n",
                        plural(told - most_failures, "failure", "failures"));
  const auto skipped = static_cast<std::size_t>(std::ranges::count(story.tasks, TaskState::skipped, &TaskStory::state));
  if (skipped > 0)
    html += fmt::format("<p>{} skipped because of that.</p>\n", plural(skipped, "task was", "tasks were"));
  return html;
}

std::string warnings_section(const RunStory& story) {
  std::string rows;
  std::size_t told = 0;
  for (const auto& task : story.tasks)
    for (const auto& text : task.warnings)
      if (++told <= most_warnings)
        rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(task.name), escaped(text));
  if (told == 0) return "<p>None.</p>\n";
  std::string html =
      "<table><caption>Warnings</caption><thead><tr><th scope=\"col\">Task</th><th "
      "scope=\"col\">Warning</th></tr></thead>"
      "<tbody>\n" +
      rows + "</tbody></table>\n";
  if (told > most_warnings)
    html += fmt::format("<p>{} more are in the record, events.jsonl.</p>\n",
                        plural(told - most_warnings, "warning", "warnings"));
  return html;
}

}  // namespace atelier
