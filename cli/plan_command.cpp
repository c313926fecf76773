#include <fmt/format.h>

#include "cli/cache_folder.h"
#include "cli/json_text.h"
#include "cli/program.h"
#include "cli/this_machine.h"
#include "plan/expectation.h"
#include "plan/explanation.h"
#include "plan/file_digests.h"
#include "plan/plan_text.h"
#include "plan/planner.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

struct PlanCommandOptions {
  BatchOptions batch;
  std::string devices;
  std::string task;  // to explain; empty: the whole plan
};

int refused(const Error& error) {
  fmt::print(stderr, "atelier plan: {}\n", error.message);
  return kWrongInput;
}

Expected<Plan> plan_of(Program& program, const BatchOptions& options, const Batch& batch, Cache& cache) {
  PlanOptions wanted;
  wanted.out = fs::absolute(options.out).lexically_normal();
  wanted.only = options.only;
  return make_plan(
      batch, wanted,
      {cache.ledger(), cache.store(), program.files, remembered_digests(program.files, cache.ledger(), program.clock)});
}

int print_task(const PlanCommandOptions& options, const Plan& plan, const Batch& batch, const Ledger& ledger) {
  const auto named = task_named(plan, batch, options.task);
  if (!named) return refused(named.error());
  const Explanation told = explain(plan, batch, *named, ledger);
  if (options.batch.json)
    fmt::print("{}\n", json_text(explanation_json(told), kIndented));
  else
    fmt::print("{}", explanation_text(told));
  return kSucceeded;
}

void print_plan(bool json, const Plan& plan, const Batch& batch, const Expectation& expected) {
  if (json) {
    auto whole = plan_json(plan, batch);
    whole["expected"] = expectation_json(expected);
    fmt::print("{}\n", json_text(whole, kIndented));
    return;
  }
  const std::string sums = expectation_text(expected);
  fmt::print("{}{}{}", plan_text(plan, batch), sums.empty() ? "" : "\n", sums);
}

int plan_it(Program& program, const PlanCommandOptions& options) {
  const auto devices = parse_devices(options.devices, this_machine());
  if (!devices) return refused(devices.error());
  const auto batch = read_batch(program, options.batch);
  if (!batch) return program.exit_code;
  const auto cache = open_cache_for(program, options.batch);
  if (!cache) return program.exit_code;
  const auto plan = plan_of(program, options.batch, *batch, *cache);
  if (!plan) return refused(plan.error());
  if (!options.task.empty()) return print_task(options, *plan, *batch, cache->ledger());
  const MeasuredCosts measured = measured_costs(*cache);
  CostsOfTasks costs(*plan, *batch, measured, std::string(device_kind(devices->front().text())));
  print_plan(options.batch.json, *plan, *batch, expectation_of(*plan, *batch, costs));
  return kSucceeded;
}

}  // namespace

// `atelier plan BATCH`: every task, and why it would run, be reused or wait; what the night will take.
void add_plan_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand(
      "plan", "Show every task and why it would run, be reused or wait, and what that will take; runs nothing");
  auto options = std::make_shared<PlanCommandOptions>();
  add_batch_options(*command, options->batch);
  command
      ->add_option("--devices", options->devices,
                   "The devices that will train, as for run: what earlier runs took on such [all CUDA devices, else "
                   "cpu:0]")
      ->type_name("DEVICES");
  command
      ->add_option("--explain", options->task,
                   "Say of this task alone why it would run, down to each param and file that changed")
      ->type_name("TASK");
  add_example(*command,
              "atelier plan examples/night/batch.yaml --set person_weight=0.5\n"
              "  atelier plan examples/night/batch.yaml --explain person/mia");
  command->callback([&program, options] { program.exit_code = plan_it(program, *options); });
}

}  // namespace atelier::cli
