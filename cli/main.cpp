#include <fmt/chrono.h>
#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/nearest.h"
#include "cli/home.h"
#include "cli/program.h"
#include "nodes/register_nodes.h"

namespace atelier::cli {
namespace {

std::vector<std::string> words_of(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::Option* option : command.get_options())
    for (const auto& name : option->get_lnames()) words.push_back("--" + name);
  for (const CLI::App* sub : command.get_subcommands({})) words.push_back(sub->get_name());
  return words;
}

// The command of `arguments` that is furthest down: what an unknown word is compared with.
const CLI::App& command_named(const CLI::App& app, const std::vector<std::string>& arguments) {
  const CLI::App* command = &app;
  for (const auto& word : arguments) {
    const auto subs = command->get_subcommands({});
    const auto found = std::ranges::find(subs, word, &CLI::App::get_name);
    if (found == subs.end()) break;
    command = *found;
  }
  return *command;
}

std::optional<std::string> unknown_word(const CLI::App& app, const std::vector<std::string>& arguments) {
  const CLI::App& command = command_named(app, arguments);
  const auto known = words_of(command);
  const bool takes_words = !command.get_options([](const CLI::Option* o) { return o->get_positional(); }).empty();
  for (const auto& word : arguments) {
    const std::string name = word.substr(0, word.find('='));
    const bool is_option = name.starts_with("--");
    if (is_option && std::ranges::count(known, name) == 0) return name;
    if (!is_option && &command == &app && !takes_words && !name.starts_with("-")) return name;
  }
  return std::nullopt;
}

int tell_usage_error(const CLI::App& app, const std::vector<std::string>& arguments, const CLI::ParseError& error) {
  const CLI::App& command = command_named(app, arguments);
  if (const auto word = unknown_word(app, arguments)) {
    fmt::print(stderr, "atelier: unknown {} '{}'{}\n", word->starts_with("--") ? "option" : "command", *word,
               did_you_mean(*word, words_of(command)));
  } else {
    fmt::print(stderr, "atelier: {}\n", error.what());
  }
  fmt::print(stderr, "Try 'atelier {}--help'.\n", &command == &app ? "" : command.get_name() + " ");
  return kWrongInput;
}

// SOURCE_DATE_EPOCH as ISO 8601: the only date that enters an output (reproducible-builds.org).
std::optional<std::string> source_date() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (!text) return std::nullopt;
  std::int64_t seconds = 0;
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw UserError(fmt::format("SOURCE_DATE_EPOCH is '{}'; it is a number of seconds since 1970", digits));
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

int run(int argc, char** argv) {
  const auto files = make_posix_files();
  const SystemClock clock;
  const auto home = find_home();
  const NodeRegistry registry = make_registry({*files, home / "models", home / "pipelines", source_date()});
  Program program{*files, clock, registry, home};

  CLI::App app{"Atelier: a batch workflow engine for personalised portrait models", "atelier"};
  app.set_version_flag("--version", ATELIER_VERSION);
  app.require_subcommand(1);
  add_example(app, "atelier run examples/night/batch.yaml --out out/night");
  add_run_command(app, program);
  add_plan_command(app, program);
  add_validate_command(app, program);
  add_graph_command(app, program);
  add_nodes_command(app, program);
  add_model_command(app, program);
  add_doctor_command(app, program);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return tell_usage_error(app, std::vector<std::string>(argv + 1, argv + argc), error);
  }
  return program.exit_code;
}

}  // namespace
}  // namespace atelier::cli

int main(int argc, char** argv) {
  try {
    return atelier::cli::run(argc, argv);
  } catch (const atelier::UserError& error) {
    fmt::print(stderr, "atelier: {}\n", error.what());
    return atelier::cli::kWrongInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "atelier: a fault, not your mistake: {}\n", error.what());
    return 4;
  }
}
