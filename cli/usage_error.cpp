#include "cli/usage_error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>

#include "base/nearest.h"

namespace atelier::cli {
namespace {

std::vector<std::string> subcommand_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* sub : command.get_subcommands({}))
    if (!sub->get_group().empty()) names.push_back(sub->get_name());  // those without are for programs
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    for (const auto& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// How many arguments without a dash a command takes.
std::size_t places(const CLI::App& command) {
  std::size_t places = 0;
  for (const CLI::Option* option : command.get_options([](const CLI::Option* o) { return o->get_positional(); }))
    places += static_cast<std::size_t>(option->get_items_expected_max());
  return places;
}

// A letter's nearest is any other letter: what begins with it is meant, if anything.
std::string suggestion(const std::string& name, const std::vector<std::string>& names) {
  if (name.size() != 2) return did_you_mean(name, names);
  std::vector<std::string> candidates;
  for (const auto& known : names)
    if (known.starts_with("-" + name)) candidates.push_back(fmt::format("'{}'", known));
  return candidates.empty() ? "" : fmt::format("; did you mean {}?", fmt::join(candidates, " or "));
}

// Follows the words down to the command they are for, until one fits nowhere.
class Reader {
 public:
  explicit Reader(const CLI::App& app) : command_(&app) {}

  // False: `word` fits nowhere, and text() says so.
  bool take(const std::string& word) {
    if (value_follows_) {
      value_follows_ = false;
      return true;
    }
    if (word.size() > 1 && word.starts_with("-")) return take_option(word);
    if (const auto subs = subcommand_names(*command_); !subs.empty()) return take_command(word, subs);
    if (++arguments_ <= places(*command_)) return true;
    text_ = fmt::format("'{}' is one argument too many", word);
    return false;
  }

  const std::string& text() const { return text_; }
  const std::string& path() const { return path_; }

  // "a command is missing; …", or nothing where the command has no others below it.
  std::string missing_command() const {
    const auto subs = subcommand_names(*command_);
    return subs.empty() ? "" : fmt::format("a command is missing; expected one of {}", fmt::join(subs, ", "));
  }

 private:
  bool take_option(const std::string& word) {
    const std::string name = word.substr(0, word.find('='));
    const auto names = option_names(*command_);
    if (std::ranges::count(names, name) == 0) {
      text_ = fmt::format("unknown option '{}'{}", name, suggestion(name, names));
      return false;
    }
    value_follows_ = name == word && command_->get_option(name)->get_items_expected_min() > 0;
    return true;
  }

  bool take_command(const std::string& word, const std::vector<std::string>& subs) {
    if (std::ranges::count(subs, word) == 0) {
      auto known = subs;
      known.emplace_back("--help");
      text_ = fmt::format("unknown command '{}'{}", word, did_you_mean(word, known));
      return false;
    }
    command_ = command_->get_subcommand(word);
    path_ += (path_.empty() ? "" : " ") + word;
    return true;
  }

  const CLI::App* command_;
  std::string path_, text_;
  std::size_t arguments_ = 0;
  bool value_follows_ = false;
};

}  // namespace

UsageError usage_error(const CLI::App& app, const std::vector<std::string>& words, const CLI::ParseError& refusal) {
  Reader reader(app);
  for (const auto& word : words)
    if (!reader.take(word)) return {reader.text(), reader.path()};
  const std::string missing = reader.missing_command();
  return {missing.empty() ? refusal.what() : missing, reader.path()};
}

}  // namespace atelier::cli
