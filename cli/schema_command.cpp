#include <fmt/format.h>

#include "cli/file_commands.h"
#include "cli/json_text.h"
#include "schema/file_schema.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

int write_schemas(Program& program, const fs::path& folder) {
  const std::pair<const char*, Schema> schemas[] = {{"pipeline.schema.json", pipeline_schema(program.registry)},
                                                    {"batch.schema.json", batch_schema()}};
  for (const auto& [name, schema] : schemas) {
    const auto written = write_named_file(program, folder / name, json_text(schema, kIndented) + "\n");
    if (written) continue;
    fmt::print(stderr, "atelier schema: {}\n", written.error().message);
    return kWrongInput;
  }
  return kSucceeded;
}

}  // namespace

// `atelier schema`: JSON Schemas of the files that people write, made from what the nodes declare.
void add_schema_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("schema", "Write JSON Schemas of pipeline and batch files, for editors");
  auto folder = std::make_shared<fs::path>("schemas");
  command->add_option("--out", *folder, "Where pipeline.schema.json and batch.schema.json go [schemas]")
      ->type_name("DIR");
  add_example(*command, "atelier schema --out schemas");
  command->callback([&program, folder] { program.exit_code = write_schemas(program, *folder); });
}

}  // namespace atelier::cli
