#include <fmt/format.h>
#include <csignal>
#include <cstdlib>

#include "cli/exec_permission.h"
#include "cli/file_commands.h"
#include "cli/home.h"
#include "cli/program.h"
#include "cli/source_date.h"
#include "cli/usage_error.h"
#include "nodes/register_nodes.h"

namespace atelier::cli {
namespace {

int tell(const UsageError& error) {
  fmt::print(stderr, "atelier: {}\nTry 'atelier {}{}--help'.\n", error.text, error.command,
             error.command.empty() ? "" : " ");
  return kWrongInput;
}

int run(int argc, char** argv) {
  const auto files = make_posix_files();
  const SystemClock clock;
  const auto home = find_home();
  const auto date = source_date();
  const auto processes = make_posix_processes();
  Commands commands{*processes};
  if (const char* const path = std::getenv("PATH")) commands.search_path = path;
  const NodeRegistry registry = make_registry({*files, home / "models", home / "pipelines", date, &commands});
  Program program{*files, clock, registry, home, date};

  CLI::App app{"Atelier: a batch workflow engine for personalised portrait models", "atelier"};
  app.set_version_flag("--version", ATELIER_VERSION);
  app.require_subcommand(1);
  add_example(app, "atelier run examples/night/batch.yaml --out out/night");
  add_run_command(app, program);
  add_plan_command(app, program);
  add_report_command(app, program);
  add_validate_command(app, program);
  add_graph_command(app, program);
  add_nodes_command(app, program);
  add_new_command(app, program);
  add_schema_command(app, program);
  add_model_command(app, program);
  add_lora_command(app, program);
  add_cache_command(app, program);
  add_purge_command(app, program);
  add_doctor_command(app, program);
  add_worker_command(app, program);
  add_exec_permission(app, commands);
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
  std::signal(SIGXFSZ, SIG_IGN);  // a file over its limit is then a write that fails, told like a full disk
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
