#include "report/page.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/amounts.h"
#include "report/customer_card.h"
#include "report/failures.h"
#include "report/page_style.h"
#include "report/settings.h"
#include "report/text.h"
#include "report/timeline.h"
#include "report/totals.h"
#include "report/verdict.h"

namespace atelier {
namespace {

constexpr std::size_t few_customers = 4;   // photos and trainings are unfolded
constexpr std::size_t most_unfolded = 12;  // customers; beyond it those that succeeded are folded

struct Section {
  const char* id;
  const char* title;
};
constexpr Section sections[] = {{"failures", "What failed"},
                                {"customers", "Customers"},
                                {"shared", "Shared by all customers"},
                                {"warnings", "Warnings"},
                                {"timeline", "Timeline"},
                                {"reuse", "Run and reused"},
                                {"cache", "Cache"},
                                {"settings", "Settings and versions"}};

class Page {
 public:
  Page(const RunStory& story, const RecordFacts& facts, const Evidence& evidence, const PageOptions& options,
       const std::function<void(std::string_view)>& write)
      : story_(story),
        facts_(facts),
        evidence_(evidence),
        options_(options),
        write_(write),
        batch_tasks_(tasks_of_batch()),
        batch_(batch_tasks_.tasks, evidence),
        frames_(options.most_picture_bytes, story.customers.size() + 1),
        totals_(totals_by_node(story, evidence)) {}

  void print() {
    frames_.next_group();
    const std::string definitions = frames_.definitions(batch_);
    write_(head());
    write_("<main id=\"main\">\n" + definitions);
    section("failures", [&] { write_(failures_section(story_, evidence_)); });
    section("customers", [&] { customers(); });
    section("shared",
            [&] { write_(customer_card(batch_tasks_, batch_, nullptr, frames_, fold(), options_.link_out)); });
    section("warnings", [&] { write_(warnings_section(story_)); });
    section("timeline", [&] { write_(timeline_section(story_)); });
    section("reuse", [&] { write_(reuse_section(totals_)); });
    section("cache", [&] { write_(cache_section(totals_, story_, evidence_.has_store())); });
    section("settings", [&] { write_(settings_section(story_)); });
    write_("</main>\n" + foot() + "</body>\n</html>\n");
  }

 private:
  Fold fold() const { return story_.customers.size() <= few_customers ? Fold::open : Fold::folded; }

  CustomerTasks tasks_of_batch() const {
    CustomerTasks all;
    for (const auto& task : story_.tasks)
      if (task.customers.empty()) all.tasks.push_back(&task);
    return all;
  }

  template <class Body>
  void section(const char* id, const Body& body) const {
    const auto* const found =
        std::ranges::find(sections, std::string_view(id), [](const Section& s) { return std::string_view(s.id); });
    write_(fmt::format("<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n", id,
                       found->title));
    body();
    write_("</section>\n");
  }

  std::string head() const {
    const Verdict verdict = verdict_of(story_, options_.now_s);
    constexpr const char* moods[] = {"good", "bad", "unsure"};
    constexpr const char* signs[] = {"✓", "✕", "…"};
    const auto mood = static_cast<std::size_t>(verdict.mood);
    std::string html = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}: {}</title>\n<meta "
        "name=\"viewport\" "
        "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta "
        "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
        "'unsafe-inline'\">\n"
        "<meta name=\"robots\" content=\"noindex\">\n<style>\n{}</style>\n</head>\n<body>\n<a class=\"skip\" "
        "href=\"#main\">Skip to the content</a>\n",
        escaped(verdict.headline), escaped(name()), page_style());
    html += fmt::format(
        "<header>\n<p class=\"over\">Atelier · {}</p>\n<h1 class=\"{}\"><span aria-hidden=\"true\">{}</span> {}</h1>\n",
        escaped(name()), moods[mood], signs[mood], escaped(verdict.headline));
    if (!verdict.detail.empty()) html += fmt::format("<p class=\"detail\">{}</p>\n", escaped(verdict.detail));
    return html + tiles() + nav() + "</header>\n";
  }

  std::string name() const {
    const auto pipeline = std::filesystem::path(story_.opening.pipeline).stem().string();
    return fmt::format("{} · {}", pipeline.empty() ? "run" : pipeline, show_moment(story_.began_s));
  }

  std::string tiles() const {
    const Totals sum = sum_of(totals_);
    const auto tile = [](const std::string& value, const std::string& what) {
      return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", what, value);
    };
    std::string html = "<dl class=\"tiles\">\n" + tile(show_duration(story_.seconds()), "took") +
                       tile(show_count(sum.ran), "tasks run") + tile(show_count(sum.reused), "tasks reused") +
                       (sum.saved_s > 0 ? tile(show_duration(sum.saved_s), "saved by reuse") : "") +
                       tile(show_bytes(sum.written_bytes), "into the cache");
    if (const auto n = warnings(story_); n > 0)
      html += tile(fmt::format("<a href=\"#warnings\">{}</a>", show_count(n)), n == 1 ? "warning" : "warnings");
    if (story_.retries > 0) html += tile(show_count(story_.retries), "tried again");
    if (story_.waves > 1) html += tile(show_count(static_cast<std::size_t>(story_.waves)), "waves: content was lost");
    return html + "</dl>\n";
  }

  std::string nav() const {
    std::string items;
    for (const auto& [id, title] : sections) items += fmt::format("<li><a href=\"#{}\">{}</a></li>", id, title);
    return "<nav aria-label=\"Sections\"><ul>" + items + "</ul></nav>\n";
  }

  void customers() {
    write_(overview());
    std::map<std::string, std::vector<const TaskStory*>> tasks;
    for (const auto& task : story_.tasks)
      for (const auto& id : task.customers) tasks[id].push_back(&task);
    const bool many = story_.customers.size() > most_unfolded;
    for (const auto& customer : story_.customers) {
      frames_.next_group();
      const CustomerTasks who{&customer, tasks[customer.id]};
      const Album own(who.tasks, evidence_);
      const std::string card = customer_card(who, own, &batch_, frames_, fold(), options_.link_out);
      if (!many) {
        write_(card);
        continue;
      }
      const bool failed = customer.end && customer.end->result == CustomerFinished::Result::failed;
      write_(fmt::format("<details class=\"customer\"{}><summary>{} {}</summary>\n{}</details>\n",
                         failed ? " open" : "", escaped(customer.id), result_chip(customer), card));
    }
  }

  std::string overview() const {
    std::string rows;
    for (const auto& customer : story_.customers) {
      const auto& end = customer.end;
      rows += fmt::format(
          "<tr><th scope=\"row\"><a href=\"#{}\">{}</a></th><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
          anchor("c", customer.id), escaped(customer.id), result_chip(customer),
          end && end->seconds > 0 ? show_duration(end->seconds) : "",
          end && !end->why.empty() ? escaped(end->failed_task + ": " + end->why) : "");
    }
    const std::string table =
        "<div class=\"scroll\" role=\"region\" aria-label=\"All customers\" tabindex=\"0\"><table "
        "class=\"overview\"><caption>All customers</caption><thead><tr><th scope=\"col\">Customer</th><th "
        "scope=\"col\">Result</th><th scope=\"col\" class=\"n\">Done after</th><th "
        "scope=\"col\">Why</th></tr></thead><tbody>\n" +
        rows + "</tbody></table></div>\n";
    return story_.customers.size() <= most_unfolded
               ? table
               : "<details><summary>All customers in a table</summary>\n" + table + "</details>\n";
  }

  std::string foot() const {
    std::string notes = fmt::format(
        "Made {} from <code>events.jsonl</code> and the cache; <code>atelier report</code> makes it again. ",
        show_moment(options_.now_s));
    if (frames_.left_out() > 0)
      notes += fmt::format("{} left out, so that the pictures in this file stay under {}. ",
                           plural(frames_.left_out(), "picture was", "pictures were"),
                           show_bytes(options_.most_picture_bytes));
    if (facts_.unread > 0)
      notes += fmt::format("{} of the record could not be read. ", plural(facts_.unread, "line", "lines"));
    return fmt::format("<footer><p>{}This page shows personal data: treat it as you treat the photos.</p></footer>\n",
                       notes);
  }

  const RunStory& story_;
  const RecordFacts& facts_;
  const Evidence& evidence_;
  const PageOptions& options_;
  const std::function<void(std::string_view)>& write_;
  CustomerTasks batch_tasks_;
  Album batch_;
  Frames frames_;
  std::map<std::string, Totals> totals_;
};

}  // namespace

void write_page(const RunStory& story, const RecordFacts& facts, const Evidence& evidence, const PageOptions& options,
                const std::function<void(std::string_view)>& write) {
  Page(story, facts, evidence, options, write).print();
}

}  // namespace atelier
