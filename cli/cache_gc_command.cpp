// `atelier cache gc`: room made.
#include <fmt/format.h>
#include <map>

#include "cache/gc.h"
#include "base/amounts.h"
#include "cli/amounts.h"
#include "cli/cache_commands.h"
#include "cli/json_text.h"
#include "cli/option_checks.h"
#include "report/text.h"

namespace atelier::cli {
namespace {

constexpr std::uint64_t kMostRuns = 1'000'000;

struct GcCommandOptions {
  std::filesystem::path cache;
  std::string max_size, older_than;
  std::size_t keep_last_runs = 0;
  bool dry_run = false, json = false;
};

nlohmann::ordered_json json_of(const GcResult& result, bool dry_run) {
  nlohmann::ordered_json json = {
      {"dry_run", dry_run},      {"freed_bytes", result.freed_bytes}, {"left_bytes", result.left_bytes},
      {"in_use", result.in_use}, {"failed", result.failed},           {"removed", nlohmann::ordered_json::array()}};
  for (const auto& one : result.removed)
    json["removed"].push_back(
        {{"path", one.path.string()}, {"bytes", one.size_bytes}, {"reason", name_of(one.reason)}});
  return json;
}

void print_result(const GcResult& result, bool dry_run) {
  std::map<GcReason, std::pair<std::size_t, std::uint64_t>> by_reason;
  for (const auto& one : result.removed) {
    auto& [files, bytes] = by_reason[one.reason];
    ++files;
    bytes += one.size_bytes;
    if (dry_run) fmt::print("{}: {}, {}\n", one.path.string(), name_of(one.reason), show_bytes(one.size_bytes));
  }
  for (const auto& [reason, sum] : by_reason)
    fmt::print("{}: {}, {}\n", name_of(reason), plural(sum.first, "file", "files"), show_bytes(sum.second));
  for (const auto& sentence : result.failed) fmt::print(stderr, "atelier cache gc: {}\n", sentence);
  if (result.in_use > 0) fmt::print("{} left alone: a run uses them\n", plural(result.in_use, "key", "keys"));
  fmt::print("{} {}; {} left\n", dry_run ? "would free" : "freed", show_bytes(result.freed_bytes),
             show_bytes(result.left_bytes));
}

int collect_it(Program& program, const GcCommandOptions& options) {
  const auto cache = open_existing_cache(program, options.cache);
  if (!cache) return program.exit_code;
  GcOptions gc;
  if (!options.max_size.empty()) gc.max_bytes = bytes_of(options.max_size);
  if (!options.older_than.empty()) gc.max_age = duration_of(options.older_than);
  gc.keep_last_runs = options.keep_last_runs;
  gc.dry_run = options.dry_run;
  const auto result = collect_garbage(program.files, *cache, program.clock, gc);
  if (!result) {
    fmt::print(stderr, "atelier cache gc: {}\n", result.error().message);
    return kWrongInput;
  }
  if (options.json)
    fmt::print("{}\n", json_text(json_of(*result, options.dry_run), kIndented));
  else
    print_result(*result, options.dry_run);
  return result->failed.empty() ? kSucceeded : kSomeFailed;
}

}  // namespace

void add_cache_gc_command(CLI::App& cache, Program& program) {
  auto* command = cache.add_subcommand(
      "gc",
      "Make room: leftovers always, and content by size or age; records stay, so that nothing runs again needlessly");
  auto options = std::make_shared<GcCommandOptions>();
  command->add_option("--max-size", options->max_size, "Remove what was used longest ago until the rest is this small")
      ->type_name("SIZE")
      ->check(a_size());
  command->add_option("--older-than", options->older_than, "Remove what no run has used for so long")
      ->type_name("AGE")
      ->check(an_age());
  command->add_option("--keep-last-runs", options->keep_last_runs, "Whatever else: keep what the last N runs used")
      ->type_name("N")
      ->check(whole_number(1, kMostRuns));
  command->add_flag("--dry-run", options->dry_run, "Say what would go; remove nothing");
  add_cache_option(*command, options->cache);
  add_json_flag(*command, options->json);
  add_example(*command, "atelier cache gc --max-size 200G --keep-last-runs 7");
  command->callback([&program, options] { program.exit_code = collect_it(program, *options); });
}

}  // namespace atelier::cli
