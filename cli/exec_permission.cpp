#include "cli/exec_permission.h"

namespace atelier::cli {

void add_exec_permission(CLI::App& app, Commands& commands) {
  for (const char* name : {"run", "plan", "validate"})
    app.get_subcommand(name)->add_flag(
        "--allow-exec", commands.allowed,
        "Let steps that use exec run commands, with your rights: for a pipeline that you trust");
  app.get_subcommand("graph")->parse_complete_callback([&commands] { commands.allowed = true; });
}

}  // namespace atelier::cli
