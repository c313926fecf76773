#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "cli/cache_commands.h"
#include "cli/cache_folder.h"
#include "report/text.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

constexpr double kNsPerSecond = 1e9;

nlohmann::ordered_json file_json(const StoredFile& file) {
  return {{"path", file.path.string()}, {"bytes", file.size_bytes}};
}

nlohmann::ordered_json outputs_json(const Record& record) {
  auto outputs = nlohmann::ordered_json::object();
  for (const auto& [port, output] : record.outputs)
    outputs[port] = {{"digest", output.digest.hex()}, {"bytes", output.size_bytes}};
  return outputs;
}

nlohmann::ordered_json seconds_json(std::int64_t ns) {
  return ns == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(static_cast<double>(ns) / kNsPerSecond);
}

Expected<std::unique_ptr<Cache>> existing_cache(Program& program, const fs::path& folder, Told told) {
  const auto ledger = program.files.stat(folder / "ledger.sqlite");
  if (!ledger) return tl::unexpected(ledger.error());
  if (!*ledger) return failure(fmt::format("{}: no cache is there; name its folder with --cache", folder.string()));
  return open_cache(program.files, folder, std::move(told), program.clock);
}

}  // namespace

void add_cache_option(CLI::App& command, fs::path& cache) {
  command.add_option("--cache", cache, "The cache [$XDG_CACHE_HOME/atelier]")->type_name("DIR");
}

std::unique_ptr<Cache> open_existing_cache(Program& program, const fs::path& given, Told told) {
  const auto folder = cache_folder(given);
  auto cache = folder ? existing_cache(program, *folder, std::move(told)) : tl::unexpected(folder.error());
  if (cache) return std::move(*cache);
  fmt::print(stderr, "atelier: {}\n", cache.error().message);
  program.exit_code = kWrongInput;
  return nullptr;
}

std::unique_ptr<Cache> open_existing_cache(Program& program, const fs::path& given) {
  return open_existing_cache(program, given, [](const std::string& sentence) { log(LogLevel::warning, sentence); });
}

std::string owners_text(const CacheEntry& entry) {
  std::vector<std::string> all;
  if (entry.for_batch) all.emplace_back("the batch");
  all.insert(all.end(), entry.customers.begin(), entry.customers.end());
  return all.empty() ? "nobody" : fmt::format("{}", fmt::join(all, ", "));
}

std::string moment_text(std::int64_t since_epoch_ns) {
  return since_epoch_ns == 0 ? "-" : show_moment(static_cast<double>(since_epoch_ns) / kNsPerSecond);
}

nlohmann::ordered_json entry_json(const CacheEntry& entry) {
  nlohmann::ordered_json json = {{"key", entry.key.hex()},
                                 {"node", entry.node()},
                                 {"node_version", nullptr},
                                 {"steps", entry.steps},
                                 {"customers", entry.customers},
                                 {"batch", entry.for_batch},
                                 {"bytes", entry.size_bytes()},
                                 {"made", seconds_json(entry.made_ns)},
                                 {"used", seconds_json(entry.used_ns)}};
  if (entry.record) {
    json["node_version"] = entry.record->node_version;
    json["cost_s"] = entry.record->cost_s;
    json["outputs"] = outputs_json(*entry.record);
  }
  if (entry.shown_by) json["shown_by"] = entry.shown_by->hex();
  if (entry.content) json["content"] = file_json(*entry.content);
  if (entry.checkpoint) json["checkpoint"] = file_json(*entry.checkpoint);
  for (const auto& file : entry.quarantined) json["quarantine"].push_back(file_json(file));
  return json;
}

// `atelier cache`: what is kept, and looking after it.
void add_cache_command(CLI::App& app, Program& program) {
  auto* cache = app.add_subcommand("cache", "What finished work is kept: list, show, verify, make room");
  cache->require_subcommand(1);
  add_example(*cache, "atelier cache ls --cache out/cache");
  add_cache_ls_command(*cache, program);
  add_cache_show_command(*cache, program);
  add_cache_verify_command(*cache, program);
  add_cache_gc_command(*cache, program);
}

}  // namespace atelier::cli
