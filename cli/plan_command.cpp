#include <fmt/format.h>

#include "cli/cache_folder.h"
#include "cli/json_text.h"
#include "cli/program.h"
#include "plan/file_digests.h"
#include "plan/plan_text.h"
#include "plan/planner.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

int plan_it(Program& program, const BatchOptions& options) {
  const auto batch = read_batch(program, options);
  if (!batch) return program.exit_code;
  const auto cache = open_cache_for(program, options);
  if (!cache) return program.exit_code;
  PlanOptions wanted;
  wanted.out = fs::absolute(options.out).lexically_normal();
  wanted.only = options.only;
  const auto plan = make_plan(*batch, wanted,
                              {cache->ledger(), cache->store(), program.files,
                               remembered_digests(program.files, cache->ledger(), program.clock)});
  if (!plan) {
    fmt::print(stderr, "atelier plan: {}\n", plan.error().message);
    return kWrongInput;
  }
  if (options.json)
    fmt::print("{}\n", json_text(plan_json(*plan, *batch), kIndented));
  else
    fmt::print("{}", plan_text(*plan, *batch));
  return kSucceeded;
}

}  // namespace

// `atelier plan BATCH`: every task, and why it would run, be reused or wait.
void add_plan_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("plan", "Show every task and why it would run, be reused or wait; runs nothing");
  auto options = std::make_shared<BatchOptions>();
  add_batch_options(*command, *options);
  add_example(*command, "atelier plan examples/night/batch.yaml --set person_weight=0.5");
  command->callback([&program, options] { program.exit_code = plan_it(program, *options); });
}

}  // namespace atelier::cli
