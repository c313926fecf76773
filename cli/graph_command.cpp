#include <fmt/format.h>

#include "cli/option_checks.h"
#include "cli/program.h"
#include "pipeline/draw.h"

namespace atelier::cli {

namespace {

// That of the file, or the one that a batch names.
Checked<Pipeline> pipeline_of(Program& program, const std::filesystem::path& file) {
  if (is_pipeline(program.files, file)) return load_pipeline(program.files, file, program.registry);
  auto batch = load_batch(program.files, file, program.registry, {});
  if (!batch) return tl::unexpected(batch.error());
  return std::move(batch->pipeline);
}

}  // namespace

// `atelier graph FILE`: draws a pipeline.
void add_graph_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("graph", "Draw a pipeline as DOT or Mermaid");
  auto file = std::make_shared<std::filesystem::path>();
  auto format = std::make_shared<std::string>("dot");
  command->add_option("FILE", *file, "The pipeline file, or a batch that names one")->type_name("")->required();
  command->add_option("--format", *format, "dot or mermaid")
      ->type_name("FORMAT")
      ->check(one_of({"dot", "mermaid"}))
      ->capture_default_str();
  add_example(*command, "atelier graph pipelines/portrait.yaml | dot -Tsvg > portrait.svg");
  command->callback([&program, file, format] {
    const auto pipeline = pipeline_of(program, *file);
    if (!pipeline) {
      print_mistakes(pipeline.error());
      program.exit_code = kWrongInput;
      return;
    }
    fmt::print("{}", *format == "dot" ? draw_dot(*pipeline) : draw_mermaid(*pipeline));
  });
}

}  // namespace atelier::cli
