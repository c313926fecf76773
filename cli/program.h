// cli: the `atelier` command. What every command is given, and how a command is added.
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "graph/node.h"
#include "pipeline/load.h"

namespace atelier::cli {

// Exit codes of every command.
constexpr int kSucceeded = 0;
constexpr int kSomeFailed = 1;
constexpr int kWrongInput = 2;

// The effects and the registry, made once in main.
struct Program {
  Files& files;
  const Clock& clock;
  const NodeRegistry& registry;
  std::filesystem::path home;       // where models/ and pipelines/ lie
  std::optional<std::string> date;  // of outputs, from SOURCE_DATE_EPOCH
  int exit_code = kSucceeded;       // set by the command that ran
};

// Options of the commands that read a batch.
struct BatchOptions {
  std::filesystem::path batch;
  std::vector<std::string> settings;  // name=value
  std::vector<std::string> only;      // customers
  std::filesystem::path cache;
  std::filesystem::path out;
  bool json = false;
};

// Adds BATCH, --set, --only, --cache, --out and --json to a command.
void add_batch_options(CLI::App& command, BatchOptions& options);

// Adds --set, and --json.
void add_set_option(CLI::App& command, BatchOptions& options);
void add_json_flag(CLI::App& command, bool& json);

// Adds an example to a command's --help.
void add_example(CLI::App& command, const std::string& example);

// The --set options as names and values; fails with a sentence where one has no '='.
Expected<Settings> settings_of(const BatchOptions& options);

// The batch, or its mistakes printed to standard error and kWrongInput in program.exit_code.
std::optional<Batch> read_batch(Program& program, const BatchOptions& options);
void print_mistakes(const Mistakes& mistakes);

// Each adds one command to the program.
void add_run_command(CLI::App& app, Program& program);
void add_plan_command(CLI::App& app, Program& program);
void add_report_command(CLI::App& app, Program& program);
void add_validate_command(CLI::App& app, Program& program);
void add_graph_command(CLI::App& app, Program& program);
void add_nodes_command(CLI::App& app, Program& program);
void add_model_command(CLI::App& app, Program& program);
void add_lora_command(CLI::App& app, Program& program);
void add_cache_command(CLI::App& app, Program& program);
void add_purge_command(CLI::App& app, Program& program);
void add_doctor_command(CLI::App& app, Program& program);
void add_worker_command(CLI::App& app, Program& program);

}  // namespace atelier::cli
