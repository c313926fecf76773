#include <fmt/format.h>

#include "base/log.h"
#include "cache/hdf5_store.h"
#include "cli/json_text.h"
#include "cli/program.h"
#include "cli/run_report.h"
#include "report/report_json.h"
#include "report/trace.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

struct ReportCommandOptions {
  fs::path run, cache, trace;
  bool json = false;
};

// The cache that the run named, unless --cache does; null where it is gone: nothing is made for a report.
std::unique_ptr<Hdf5Store> open_store(Program& program, const ReportCommandOptions& options, const RunStory& story) {
  const fs::path folder = options.cache.empty() ? fs::path(story.opening.cache) : fs::absolute(options.cache);
  const auto content = folder.empty() ? std::nullopt : program.files.stat(folder / "content").value_or(std::nullopt);
  if (!content) {
    log(LogLevel::warning, fmt::format("{}: no cache is there; the report has no pictures", folder.string()));
    return nullptr;
  }
  auto store =
      Hdf5Store::open(program.files, folder, [](const std::string& sentence) { log(LogLevel::warning, sentence); });
  if (store) return std::move(*store);
  log(LogLevel::warning, fmt::format("{}; the report has no pictures", store.error().message));
  return nullptr;
}

int fail(const Error& error) {
  fmt::print(stderr, "atelier report: {}\n", error.message);
  return kWrongInput;
}

int report_it(Program& program, const ReportCommandOptions& options) {
  const auto run = find_run(program.files, fs::absolute(options.run).lexically_normal());
  if (!run) return fail(run.error());
  const auto report = read_run(program.files, *run);
  if (!report) return fail(report.error());
  if (!options.trace.empty()) {
    const auto text = json_text(trace_json(report->story), kOneLine) + "\n";
    if (const auto done = write_file(program.files, fs::absolute(options.trace), text); !done)
      return fail(done.error());
  }
  const auto store = open_store(program, options, report->story);
  if (options.json) {
    const Evidence evidence(store.get(), program.files, *run);
    fmt::print("{}\n", json_text(report_json(report->story, evidence, now_s(program)), kIndented));
    return kSucceeded;
  }
  const auto page = write_run_report(program, *report, *run, store.get());
  if (!page) return fail(page.error());
  fmt::print("{}\n", page->string());
  return kSucceeded;
}

}  // namespace

// `atelier report RUN`: the run's report again, of a run that is still going too.
void add_report_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("report", "Write the report of a run again; of one that is still going too");
  auto options = std::make_shared<ReportCommandOptions>();
  command->add_option("RUN", options->run, "A run's folder, or an --out folder: then its latest run")
      ->type_name("")
      ->required();
  command->add_option("--cache", options->cache, "Where the pictures are [the cache that the run used]")
      ->type_name("DIR");
  command
      ->add_option("--trace", options->trace, "Also writes the timeline as a Chrome trace (chrome://tracing, Perfetto)")
      ->type_name("FILE");
  add_json_flag(*command, options->json);
  add_example(*command, "atelier report out/night");
  command->callback([&program, options] { program.exit_code = report_it(program, *options); });
}

}  // namespace atelier::cli
