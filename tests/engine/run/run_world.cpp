#include "run_world.h"

#include <algorithm>
#include <stdexcept>

#include "pipeline/load.h"

namespace atelier {
namespace {

constexpr auto portrait_pipeline = R"(atelier: 1
name: portrait
params: {steps: 4, weight: 0.5}
inputs:
  photos: {type: texts}
  style: {type: texts, scope: batch}
steps:
  load: {use: read, in: {files: photos}}
  check: {use: fail_on, in: {text: load}}
  portrait: {use: shout, in: {text: check}}
  style_load: {use: read, in: {files: style}}
  look: {use: learn, in: {texts: [style_load]}, with: {steps: "${steps}"}}
  person: {use: learn, in: {texts: [portrait]}, with: {steps: "${steps}"}}
  model: {use: blend, in: {base: portrait, parts: [person, look]}, with: {weights: ["${weight}", 0.25]}}
outputs:
  person: {from: person, path: "${customer}/person.txt"}
  model: {from: model, path: "${customer}/model/"}
  look: {from: look, path: "style.txt"}
)";

}  // namespace

std::vector<std::string> Recorder::names(std::string_view event_name) const {
  std::vector<std::string> names;
  for (const auto& event : events)
    if (name_of(event) == event_name) names.push_back(to_json(event).at("task").get<std::string>());
  std::sort(names.begin(), names.end());
  return names;
}

Batch make_night(Files& files, const NodeRegistry& registry, const std::filesystem::path& studio) {
  const auto put = [&](const std::filesystem::path& path, const std::string& text) {
    if (!files.make_folders(path.parent_path()) || !write_file(files, path, std::string_view(text)))
      throw std::runtime_error("no studio can be made");
  };
  put(studio / "portrait.yaml", portrait_pipeline);
  auto pipeline = load_pipeline(files, studio / "portrait.yaml", registry);
  if (!pipeline) throw std::invalid_argument(pipeline.error().front().text());
  Batch batch;
  batch.pipeline = std::move(*pipeline);
  batch.file = studio / "night.yaml";
  batch.name = "night";
  batch.inputs["style"] = studio / "style";
  put(studio / "style/one.txt", "a style of its own");
  for (const std::string id : {"anna", "ben", "cleo"}) {
    Customer customer;
    customer.id = id;
    customer.inputs["photos"] = studio / id;
    put(studio / id / "one.txt", "photo of " + id);
    batch.customers.push_back(std::move(customer));
  }
  return batch;
}

RunWorld::RunWorld() : registry(make_test_registry(files, probe)), batch(make_night(files, registry, "/studio")) {
  options.out = "/out";
  options.machine.cores = 2;
  options.devices = {{false, 0}};
}

void RunWorld::drop_output(const std::string& name) {
  std::erase_if(batch.pipeline.outputs, [&](const PipelineOutput& output) { return output.name == name; });
}

RunResult RunWorld::run() {
  recorder.events.clear();
  stop = std::make_unique<StopToken>();
  if (before_run) before_run(*stop);
  return run_batch(options, batch,
                   {.registry = registry,
                    .store = store,
                    .ledger = ledger,
                    .files = files,
                    .clock = clock,
                    .ticker = *ticker,
                    .stop = *stop,
                    .observers = {&recorder},
                    .abandon =
                        [this](int code) {
                          abandoned_code = code;
                          abandoned.release();
                        },
                    .own_paths = [this](std::span<const OwnedPath> paths) -> Expected<void> {
                      owned.assign(paths.begin(), paths.end());
                      return {};
                    },
                    .workers = workers});
}

std::map<std::string, std::string> RunWorld::outputs() const {
  std::map<std::string, std::string> all;
  for (const auto& path : files.all_files()) {
    const auto relative = path.lexically_relative(options.out).generic_string();
    if (relative.starts_with("..") || relative.starts_with("runs")) continue;
    all[relative] = *files.text(path);
  }
  return all;
}

}  // namespace atelier
