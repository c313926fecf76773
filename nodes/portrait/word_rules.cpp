#include "portrait/word_rules.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.h"

namespace atelier {
namespace {

constexpr std::array<std::pair<std::string_view, Belongs>, 5> belongs_names{{{"face", Belongs::face},
                                                                             {"head", Belongs::head},
                                                                             {"person", Belongs::person},
                                                                             {"background", Belongs::background},
                                                                             {"both", Belongs::both}}};

std::vector<std::string> word_texts(std::string_view phrase) {
  std::vector<std::string> texts;
  for (auto& word : words_of(phrase)) texts.push_back(std::move(word.text));
  return texts;
}

// The forms under which a word may be listed: itself, and without a plural's ending.
std::vector<std::string> singulars(const std::string& word) {
  std::vector<std::string> forms{word};
  if (word.size() > 3 && word.ends_with('s')) forms.push_back(word.substr(0, word.size() - 1));
  if (word.size() > 4 && word.ends_with("es")) forms.push_back(word.substr(0, word.size() - 2));
  return forms;
}

[[noreturn]] void refuse(const std::string& file, const YAML::Mark& mark, const std::string& what) {
  throw UserError(fmt::format("{}:{}: {}", file, mark.line + 1, what));
}

std::optional<Belongs> belongs_named(std::string_view name) {
  const auto found = std::ranges::find(belongs_names, name, &std::pair<std::string_view, Belongs>::first);
  return found == belongs_names.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

Region region_named(std::string_view name) {
  return name == "face" ? Region::face : name == "person" ? Region::person : Region::head;
}

Side side_of(Belongs belongs, Region region) {
  if (belongs == Belongs::both) return Side::both;
  if (belongs == Belongs::background) return Side::background;
  // Both are in the order face, head, person.
  return static_cast<int>(belongs) <= static_cast<int>(region) ? Side::portrait : Side::background;
}

void WordRules::add(std::string_view phrase, Belongs belongs) {
  auto words = word_texts(phrase);
  if (words.empty()) return;
  longest_ = std::max(longest_, words.size());
  phrases_[std::move(words)] = belongs;
}

WordRules WordRules::parse(std::string_view yaml, const std::string& file_name) try {
  WordRules rules;
  rules.digest_ = sha256(yaml);
  const YAML::Node root = YAML::Load(std::string(yaml));
  if (!root.IsMap() || !root["groups"] || !root["groups"].IsMap())
    refuse(file_name, root.Mark(), "expects a map with 'groups'");
  for (const auto& connector : root["connectors"]) rules.connectors_.push_back(word_texts(connector.as<std::string>()));
  std::ranges::stable_sort(rules.connectors_, std::greater{}, &Phrase::size);
  for (const auto& group : root["groups"]) {
    const auto name = group.first.as<std::string>();
    const auto belongs = belongs_named(group.second["belongs"].as<std::string>(""));
    if (!belongs)
      refuse(file_name, group.first.Mark(),
             fmt::format("group '{}': belongs is one of face, head, person, background, both", name));
    for (const auto& word : group.second["words"]) {
      const auto text = word.as<std::string>();
      if (rules.phrases_.contains(word_texts(text)))
        refuse(file_name, word.Mark(), fmt::format("'{}' is listed a second time", text));
      rules.add(text, *belongs);
    }
  }
  return rules;
} catch (const YAML::Exception& e) {
  throw UserError(fmt::format("{}:{}: {}", file_name, e.mark.line + 1, e.msg));
}

WordRules WordRules::with(const std::vector<std::string>& phrases, Belongs belongs) const {
  WordRules result = *this;
  for (const auto& phrase : phrases) result.add(phrase, belongs);
  return result;
}

std::vector<WordRules::Match> WordRules::matches(const std::vector<Word>& words) const {
  const auto find = [&](std::size_t first, std::size_t count) -> std::optional<Belongs> {
    Phrase phrase;
    for (std::size_t i = first; i < first + count; ++i) phrase.push_back(words[i].text);
    for (const auto& form : singulars(phrase.back())) {
      phrase.back() = form;
      if (const auto found = phrases_.find(phrase); found != phrases_.end()) return found->second;
    }
    return std::nullopt;
  };
  std::vector<Match> found;
  for (std::size_t first = 0; first < words.size();) {
    std::size_t count = std::min(longest_, words.size() - first);
    std::optional<Belongs> belongs;
    while (count > 0 && !(belongs = find(first, count))) --count;
    if (belongs) found.push_back({first, count, *belongs});
    first += std::max<std::size_t>(count, 1);
  }
  return found;
}

std::size_t WordRules::connector_at(const std::vector<Word>& words, std::size_t at) const {
  for (const auto& connector : connectors_) {
    if (connector.size() > words.size() - at) continue;
    bool same = true;
    for (std::size_t i = 0; i < connector.size() && same; ++i) same = words[at + i].text == connector[i];
    if (same) return connector.size();
  }
  return 0;
}

}  // namespace atelier
