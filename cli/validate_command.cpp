#include <fmt/format.h>

#include "cli/program.h"

namespace atelier::cli {

// `atelier validate FILE`: a pipeline or a batch, checked without touching data.
void add_validate_command(CLI::App& app, Program& program) {
  auto* command =
      app.add_subcommand("validate", "Check a batch and its pipeline, or a pipeline, without touching data");
  auto options = std::make_shared<BatchOptions>();
  auto is_pipeline = std::make_shared<bool>(false);
  add_batch_options(*command, *options);
  command->add_flag("--pipeline", *is_pipeline, "The file is a pipeline, not a batch");
  add_example(*command, "atelier validate examples/night/batch.yaml");
  command->callback([&program, options, is_pipeline] {
    if (*is_pipeline) {
      const auto pipeline = load_pipeline(program.files, options->batch, program.registry);
      if (!pipeline) {
        print_mistakes(pipeline.error());
        program.exit_code = kWrongInput;
        return;
      }
      fmt::print("{}: a pipeline of {} steps, without mistakes\n", options->batch.string(), pipeline->steps.size());
      return;
    }
    const auto batch = read_batch(program, *options);
    if (!batch) return;
    fmt::print("{}: {} customer{}, pipeline '{}' of {} steps, without mistakes\n", options->batch.string(),
               batch->customers.size(), batch->customers.size() == 1 ? "" : "s", batch->pipeline.name,
               batch->pipeline.steps.size());
  });
}

}  // namespace atelier::cli
