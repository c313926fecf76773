// cli: whether steps may run commands, which every command that reads a pipeline is told alike.
#pragma once
#include <CLI/CLI.hpp>

#include "exec/exec_node.h"

namespace atelier::cli {

// Adds --allow-exec to the commands of `app` that check or run a pipeline. It sets `commands.allowed`, which must
// outlive the app. A drawing runs nothing, so `graph` takes every pipeline.
void add_exec_permission(CLI::App& app, Commands& commands);

}  // namespace atelier::cli
