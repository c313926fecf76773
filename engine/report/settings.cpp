#include "report/settings.h"

#include <fmt/format.h>

#include "report/text.h"

namespace atelier {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string table(const char* caption, const char* first, const char* second, const Rows& rows) {
  std::string html = fmt::format(
      "<table><caption>{}</caption><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th></tr></thead><tbody>\n",
      caption, first, second);
  for (const auto& [name, value] : rows)
    if (!value.empty())
      html +=
          fmt::format("<tr><th scope=\"row\">{}</th><td><code>{}</code></td></tr>\n", escaped(name), escaped(value));
  return html + "</tbody></table>\n";
}

std::string joined(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& one : all) text += (text.empty() ? "" : ", ") + one;
  return text;
}

}  // namespace

std::string settings_section(const RunStory& story) {
  const RunStarted& run = story.opening;
  std::string html =
      table("The run", "What", "Value",
            {{"run", run.run},
             {"began", show_moment(story.began_s)},
             {"batch", run.batch},
             {"pipeline", run.pipeline},
             {"outputs", run.out},
             {"cache", run.cache},
             {"devices", joined(run.devices)},
             {"CPU cores", std::to_string(run.cores)},
             {"threads per device", run.threads_per_device > 0 ? std::to_string(run.threads_per_device) : ""},
             {"customers open at once", std::to_string(run.window)}});
  if (!run.params.empty())
    html += table("Params of the batch", "Param", "Value", {run.params.begin(), run.params.end()});
  if (!run.versions.empty())
    html += table("Versions", "Program or library", "Version", {run.versions.begin(), run.versions.end()});
  return "<div class=\"side-by-side\">" + html + "</div>\n";
}

}  // namespace atelier
