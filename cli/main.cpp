#include <fmt/chrono.h>
#include <fmt/format.h>
#include <charconv>
#include <cstdlib>

#include "cli/home.h"
#include "cli/program.h"
#include "cli/usage_error.h"
#include "nodes/register_nodes.h"

namespace atelier::cli {
namespace {

int tell(const UsageError& error) {
  fmt::print(stderr, "atelier: {}\nTry 'atelier {}{}--help'.\n", error.text, error.command,
             error.command.empty() ? "" : " ");
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
    return tell(usage_error(app, {argv + 1, argv + argc}, error));
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
