#include "report/totals.h"

#include <fmt/format.h>

#include "base/amounts.h"
#include "report/text.h"

namespace atelier {
namespace {

const std::string outputs_name = "output";

}  // namespace

Totals& Totals::operator+=(const Totals& more) {
  ran += more.ran;
  reused += more.reused;
  failed += more.failed;
  other += more.other;
  ran_s += more.ran_s;
  saved_s += more.saved_s;
  written_bytes += more.written_bytes;
  kept_bytes += more.kept_bytes;
  return *this;
}

std::map<std::string, Totals> totals_by_node(const RunStory& story, const Evidence& evidence) {
  std::map<std::string, Totals> all;
  for (const auto& task : story.tasks) {
    Totals& node = all[task.is_output() ? outputs_name : task.node];
    const bool ran = task.state == TaskState::finished;
    ++(ran                               ? node.ran
       : task.state == TaskState::reused ? node.reused
       : task.state == TaskState::failed ? node.failed
                                         : node.other);
    node.saved_s += task.saved_s;
    if (!ran) continue;
    node.ran_s += task.seconds;
    node.written_bytes += task.bytes;
    if (task.key && task.bytes > 0 && evidence.kept(*task.key)) node.kept_bytes += task.bytes;
  }
  return all;
}

Totals sum_of(const std::map<std::string, Totals>& by_node) {
  Totals sum;
  for (const auto& [node, totals] : by_node)
    if (node != outputs_name) sum += totals;
  return sum;
}

std::string reuse_section(const std::map<std::string, Totals>& by_node) {
  const Totals sum = sum_of(by_node);
  std::string html = fmt::format("<p>{} reused, which saved {} of work; {} run, in {} of work.</p>\n",
                                 plural(sum.reused, "task was", "tasks were"), show_duration(sum.saved_s),
                                 plural(sum.ran, "task was", "tasks were"), show_duration(sum.ran_s));
  html +=
      "<div class=\"scroll\" role=\"region\" aria-label=\"Run and reused\" tabindex=\"0\"><table><caption>Run and "
      "reused, by "
      "node</caption><thead><tr><th scope=\"col\">Node</th><th "
      "scope=\"col\" class=\"n\">Run</th><th scope=\"col\" class=\"n\">Took</th><th scope=\"col\" "
      "class=\"n\">Reused</th><th "
      "scope=\"col\" class=\"n\">Saved</th><th scope=\"col\" class=\"n\">Failed</th><th scope=\"col\" "
      "class=\"n\">Neither</th>"
      "</tr></thead><tbody>\n";
  for (const auto& [node, t] : by_node)
    html += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
        escaped(node), show_count(t.ran), show_duration(t.ran_s), show_count(t.reused), show_duration(t.saved_s),
        show_count(t.failed), show_count(t.other));
  return html + "</tbody></table></div>\n";
}

std::string cache_section(const std::map<std::string, Totals>& by_node, const RunStory& story, bool has_store) {
  const Totals sum = sum_of(by_node);
  std::string html = fmt::format("<p>This run wrote {} of results into <code>{}</code>", show_bytes(sum.written_bytes),
                                 escaped(story.opening.cache.empty() ? "the cache" : story.opening.cache));
  html += has_store ? fmt::format(
                          "; {} of it are there now. Decoded photos are dropped when nobody needs them any more, and "
                          "fused models are never stored.</p>\n",
                          show_bytes(sum.kept_bytes))
                    : ". The cache is not there any more.</p>\n";
  std::string rows;
  for (const auto& [node, t] : by_node)
    if (t.written_bytes > 0)
      rows += fmt::format(
          "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
          escaped(node), show_count(t.ran), show_bytes(t.written_bytes), has_store ? show_bytes(t.kept_bytes) : "–");
  if (rows.empty()) return html;
  return html +
         "<table><caption>What the cache grew by</caption><thead><tr><th scope=\"col\">Node</th><th scope=\"col\" "
         "class=\"n\">Results</th><th scope=\"col\" class=\"n\">Written</th><th scope=\"col\" class=\"n\">There "
         "now</th></tr>"
         "</thead><tbody>\n" +
         rows + "</tbody></table>\n";
}

}  // namespace atelier
