#include "report/forget_customer.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "run/run_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kInTheirPlace = "(purged)";

bool is_letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || static_cast<unsigned char>(c) >= 0x80;
}

// The text with `with` for each `word` that stands alone: "photos/anna/1.jpg" names anna, "annabel" does not.
std::string replaced(std::string text, std::string_view word, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos;) {
    const std::size_t end = at + word.size();
    const bool alone = (at == 0 || !is_letter(text[at - 1])) && (end == text.size() || !is_letter(text[end]));
    if (alone) text.replace(at, word.size(), with);
    at += alone ? with.size() : 1;
  }
  return text;
}

std::string text_in(const Json& line, const char* name) {
  const auto found = line.find(name);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

class Forgetting {
 public:
  explicit Forgetting(const std::string& customer) : customer_(customer) {}

  // Which tasks are whose; to be told of all lines before edit().
  void learn(const Json& line) {
    const auto event = text_in(line, "event");
    if (event == "run_started" && line.contains("customer_ids")) {
      const auto& ids = line["customer_ids"];
      was_alone = ids.is_array() && ids.size() == 1 && ids[0] == customer_;
    }
    if (event != "task_planned" || !line.contains("customers") || !line["customers"].is_array()) return;
    std::vector<std::string> others;
    bool theirs = false;
    for (const auto& id : line["customers"])
      if (id == customer_)
        theirs = true;
      else if (id.is_string())
        others.push_back(id.get<std::string>());
    if (!theirs) return;
    const auto name = text_in(line, "task");
    if (others.empty())
      tasks.insert(name);
    else if (const auto fresh = name_without(name, others); fresh != name)
      renamed[name] = fresh;
  }

  // The line as it is to stand; none: it goes. Of a damaged one nothing stays that names them.
  std::optional<std::string> edited(std::string_view line) const {
    const auto json = Json::parse(line, nullptr, false);
    if (!json.is_object()) return without_name(std::string(line));
    const auto fresh = edit(json);
    if (fresh.is_null()) return std::nullopt;
    return fresh == json ? std::string(line) : fresh.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  std::string without_name(std::string text) const {
    return replaced(renamed_in(std::move(text)), customer_, kInTheirPlace);
  }

  std::set<std::string> tasks;                 // theirs alone, by name
  std::map<std::string, std::string> renamed;  // others' too
  bool was_alone = false;

 private:
  std::string renamed_in(std::string text) const {
    for (const auto& [old, fresh] : renamed) {
      text = replaced(std::move(text), old, fresh);
      text = replaced(std::move(text), file_name_of(old), file_name_of(fresh));
    }
    return text;
  }

  // Null: it goes.
  Json edit(Json line) const {
    if (tasks.contains(text_in(line, "task")) || text_in(line, "customer") == customer_) return nullptr;
    const auto event = text_in(line, "event");
    if (event == "run_started") edit_list(line, "customer_ids");
    if (event == "task_planned") edit_list(line, "customers");
    const auto change = [&](const char* name, const auto& by) {
      if (line.contains(name) && line[name].is_string()) line[name] = by(line[name].template get<std::string>());
    };
    for (const char* name : {"task", "failed_task", "log"})
      change(name, [&](std::string text) { return renamed_in(std::move(text)); });
    for (const char* name : {"reason", "text", "message", "why", "what"})
      change(name, [&](std::string text) { return without_name(std::move(text)); });
    return line;
  }

  // "load/anna+1" is "load/ben" for ben, who is left.
  std::string name_without(const std::string& name, const std::vector<std::string>& others) const {
    const auto slash = name.rfind('/');
    if (slash == std::string::npos) return name;
    const std::string rest = others.size() == 1 ? "" : fmt::format("+{}", others.size() - 1);
    return name.substr(0, slash + 1) + others.front() + rest;
  }

  void edit_list(Json& line, const char* name) const {
    if (!line.contains(name) || !line[name].is_array()) return;
    auto& ids = line[name];
    Json left = Json::array();
    for (const auto& id : ids)
      if (id != customer_) left.push_back(id);
    if (line.contains("customers") && line["customers"].is_number()) line["customers"] = left.size();
    ids = std::move(left);
  }

  const std::string& customer_;
};

template <class See>
void for_each_line(std::string_view text, const See& see) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    see(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Expected<void> forget_log(Files& files, const fs::path& logs, const std::string& name, const std::string& fresh,
                          const ForgottenText& record, const std::string& customer, std::size_t& count) {
  const auto old_log = logs / (file_name_of(name) + ".log");
  const auto stat = files.stat(old_log);
  if (!stat || !*stat) return stat ? Expected<void>() : tl::unexpected(stat.error());
  ++count;
  if (!fresh.empty()) {
    auto text = read_text(files, old_log);
    if (!text) return tl::unexpected(text.error());
    for (const auto& [old, now] : record.renamed) *text = replaced(std::move(*text), old, now);
    *text = replaced(std::move(*text), customer, kInTheirPlace);
    if (auto written = write_file(files, logs / (file_name_of(fresh) + ".log"), *text); !written) return written;
  }
  return files.remove_all(old_log);
}

}  // namespace

ForgottenText forget_in_record(std::string_view record, const std::string& customer) {
  Forgetting forgetting(customer);
  for_each_line(record, [&](std::string_view line) {
    if (const auto json = Json::parse(line, nullptr, false); json.is_object()) forgetting.learn(json);
  });
  ForgottenText result;
  for_each_line(record, [&](std::string_view line) {
    const auto edited = forgetting.edited(line);
    if (edited != line) ++result.lines;
    if (edited) result.text += *edited + '\n';
  });
  result.was_alone = forgetting.was_alone;
  result.tasks = {forgetting.tasks.begin(), forgetting.tasks.end()};
  result.renamed = {forgetting.renamed.begin(), forgetting.renamed.end()};
  return result;
}

Expected<ForgottenRun> forget_customer(Files& files, const fs::path& run, const std::string& customer) {
  ForgottenRun result;
  const auto events = files.stat(run / "events.jsonl");
  if (!events) return tl::unexpected(events.error());
  if (!*events) return result;
  const auto lock = files.try_lock(run.parent_path() / "lock");
  if (!lock) return tl::unexpected(lock.error());
  if (!*lock)
    return failure(fmt::format("{}: a run is writing there; wait until it has ended, or stop it, and try again",
                               run.parent_path().parent_path().string()));
  const auto before = read_text(files, run / "events.jsonl");
  if (!before) return tl::unexpected(before.error());
  const auto record = forget_in_record(*before, customer);
  if (record.lines == 0) return result;
  result.lines = record.lines;
  if (record.was_alone) {
    result.folder_removed = true;
    if (auto removed = files.remove_all(run); !removed) return tl::unexpected(removed.error());
    return result;
  }
  const auto page = files.stat(run / "report.html");
  if (!page) return tl::unexpected(page.error());
  result.had_page = page->has_value();
  // The record last: a purge that was cut off finds by it what else there is.
  auto done = files.remove_all(run / "report.html");
  if (done) done = files.remove_all(run / "scratch");
  for (const auto& task : record.tasks)
    if (done) done = forget_log(files, run / "logs", task, "", record, customer, result.logs);
  for (const auto& [old, fresh] : record.renamed)
    if (done) done = forget_log(files, run / "logs", old, fresh, record, customer, result.logs);
  if (done) done = write_file(files, run / "events.jsonl", record.text);
  if (!done) return tl::unexpected(done.error());
  return result;
}

}  // namespace atelier
