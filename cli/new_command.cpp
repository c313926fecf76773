#include <fmt/format.h>

#include "cli/file_commands.h"
#include "cli/start_files.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPipelineFile = "pipeline.yaml";
constexpr const char* kBatchFile = "batch.yaml";

struct StartFile {
  fs::path path;  // as the user named it
  std::string text;
};

fs::path schemas_of(const Program& program) { return fs::absolute(program.home) / "schemas"; }

StartFile pipeline_file(const Program& program, const fs::path& folder) {
  return {folder / kPipelineFile, start_of_pipeline(schemas_of(program))};
}

// Fails where something stands there already.
Expected<void> check_free(Program& program, const fs::path& path) {
  const auto stat = program.files.stat(fs::absolute(path));
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return {};
  return failure(fmt::format("{}: is there already; give another folder, or remove it first", path.string()));
}

Expected<void> write_start(Program& program, const StartFile& start) {
  return write_named_file(program, start.path, start.text);
}

Expected<void> new_pipeline(Program& program, const fs::path& folder) {
  const StartFile pipeline = pipeline_file(program, folder);
  if (auto free = check_free(program, pipeline.path); !free) return free;
  return write_start(program, pipeline);
}

// The batch, and its pipeline unless that is there as `new pipeline` wrote it.
Expected<void> new_batch(Program& program, const fs::path& folder) {
  const StartFile pipeline = pipeline_file(program, folder);
  const StartFile batch{folder / kBatchFile, start_of_batch(schemas_of(program))};
  if (auto free = check_free(program, batch.path); !free) return free;
  const bool has_pipeline = read_text(program.files, fs::absolute(pipeline.path)).value_or("") == pipeline.text;
  if (!has_pipeline) {
    if (auto free = check_free(program, pipeline.path); !free) return free;
    if (auto written = write_start(program, pipeline); !written) return written;
  }
  const fs::path photos = folder / kStartPhotos;
  if (auto made = program.files.make_folders(fs::absolute(photos)); !made) return made;
  if (auto written = write_start(program, batch); !written) return written;
  fmt::print("Now put photos into {}.\n", photos.string());
  return {};
}

using Writer = Expected<void> (*)(Program&, const fs::path&);

void add_new(CLI::App& command, Program& program, const char* kind, const char* summary, Writer write) {
  auto* sub = command.add_subcommand(kind, summary);
  auto folder = std::make_shared<fs::path>();
  sub->add_option("DIR", *folder, "The folder to write it in; made where it is not there")->type_name("")->required();
  add_example(*sub, fmt::format("atelier new {} mine", kind));
  sub->callback([&program, folder, kind, write] {
    const auto written = write(program, *folder);
    if (written) return;
    fmt::print(stderr, "atelier new {}: {}\n", kind, written.error().message);
    program.exit_code = kWrongInput;
  });
}

}  // namespace

// `atelier new`: a pipeline or a batch to begin with.
void add_new_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("new", "Write a pipeline or a batch to begin with");
  command->require_subcommand(1);
  add_example(*command, "atelier new batch mine");
  add_new(*command, program, "pipeline", "Write a small pipeline with comments: pipeline.yaml", new_pipeline);
  add_new(*command, program, "batch", "Write a small batch with comments and its pipeline: batch.yaml, pipeline.yaml",
          new_batch);
}

}  // namespace atelier::cli
