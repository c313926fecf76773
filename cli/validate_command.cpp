#include <fmt/format.h>

#include "cli/json_text.h"
#include "cli/program.h"

namespace atelier::cli {
namespace {

nlohmann::json json_of(const Mistakes& mistakes) {
  auto list = nlohmann::json::array();
  for (const auto& mistake : mistakes)
    list.push_back({{"file", mistake.position.file},
                    {"line", mistake.position.line},
                    {"column", mistake.position.column},
                    {"message", mistake.message}});
  return list;
}

int report(const Mistakes& mistakes, const std::string& sound, bool json) {
  if (json)
    fmt::print("{}\n", json_text(nlohmann::json{{"mistakes", json_of(mistakes)}}, kIndented));
  else if (mistakes.empty())
    fmt::print("{}\n", sound);
  else
    print_mistakes(mistakes);
  return mistakes.empty() ? kSucceeded : kWrongInput;
}

std::string counted(std::size_t number, std::string_view thing) {
  return fmt::format("{} {}{}", number, thing, number == 1 ? "" : "s");
}

int validate_pipeline(Program& program, const BatchOptions& options) {
  if (!options.settings.empty()) {
    fmt::print(stderr, "--set {}: {} is a pipeline; expected a batch, or no --set\n", options.settings.front(),
               options.batch.string());
    return kWrongInput;
  }
  const auto pipeline = load_pipeline(program.files, options.batch, program.registry);
  if (!pipeline) return report(pipeline.error(), "", options.json);
  return report({},
                fmt::format("{}: a pipeline of {}, without mistakes", options.batch.string(),
                            counted(pipeline->steps.size(), "step")),
                options.json);
}

int validate(Program& program, const BatchOptions& options) {
  const auto settings = settings_of(options);
  if (!settings) {
    fmt::print(stderr, "{}\n", settings.error().message);
    return kWrongInput;
  }
  if (is_pipeline(program.files, options.batch)) return validate_pipeline(program, options);
  const auto batch = load_batch(program.files, options.batch, program.registry, *settings);
  if (!batch) return report(batch.error(), "", options.json);
  return report({},
                fmt::format("{}: {}, pipeline '{}' of {}, without mistakes", options.batch.string(),
                            counted(batch->customers.size(), "customer"), batch->pipeline.name,
                            counted(batch->pipeline.steps.size(), "step")),
                options.json);
}

}  // namespace

// `atelier validate FILE`: a pipeline or a batch, checked without touching data.
void add_validate_command(CLI::App& app, Program& program) {
  auto* command =
      app.add_subcommand("validate", "Check a batch and its pipeline, or a pipeline, without touching data");
  auto options = std::make_shared<BatchOptions>();
  command->add_option("FILE", options->batch, "A batch file or a pipeline file")->type_name("")->required();
  add_set_option(*command, *options);
  add_json_flag(*command, options->json);
  add_example(*command, "atelier validate examples/night/batch.yaml");
  command->callback([&program, options] { program.exit_code = validate(program, *options); });
}

}  // namespace atelier::cli
