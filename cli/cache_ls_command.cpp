// `atelier cache ls`: what is in a cache.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>

#include "base/amounts.h"
#include "cli/cache_commands.h"
#include "cli/json_text.h"
#include "cli/printable.h"
#include "report/text.h"

namespace atelier::cli {
namespace {

using Row = std::array<std::string, 7>;

struct LsOptions {
  std::filesystem::path cache;
  bool json = false;
};

std::string state_text(const CacheEntry& entry) {
  std::vector<std::string> parts;
  if (entry.content) parts.emplace_back("content");
  if (entry.checkpoint) parts.emplace_back("checkpoint");
  if (!entry.quarantined.empty()) parts.emplace_back("quarantine");
  return parts.empty() ? "record only" : fmt::format("{}", fmt::join(parts, "+"));
}

std::string node_text(const CacheEntry& entry) {
  if (entry.shown_by) return "shown by " + entry.shown_by->brief();
  return entry.record ? fmt::format("{} {}", entry.node(), entry.record->node_version) : entry.node();
}

Row row_of(const CacheEntry& entry) {
  return {entry.key.brief(),
          printable(node_text(entry)),
          printable(fmt::format("{}", fmt::join(entry.steps, ","))),
          printable(owners_text(entry)),
          entry.size_bytes() == 0 ? "-" : show_bytes(entry.size_bytes()),
          moment_text(entry.made_ns),
          state_text(entry)};
}

void print_table(const std::vector<Row>& rows) {
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    fmt::print("{}\n", line);
  }
}

std::string total_text(const std::vector<CacheEntry>& entries) {
  std::uint64_t bytes = 0;
  std::size_t with_content = 0;
  for (const auto& entry : entries) {
    bytes += entry.size_bytes();
    with_content += entry.content ? 1U : 0U;
  }
  return fmt::format("{}, {} with content, {}", entries.size() == 1 ? "1 key" : fmt::format("{} keys", entries.size()),
                     with_content, show_bytes(bytes));
}

int list_it(Program& program, const LsOptions& options) {
  const auto cache = open_existing_cache(program, options.cache);
  if (!cache) return program.exit_code;
  const auto entries = list_entries(program.files, *cache);
  if (!entries) {
    fmt::print(stderr, "atelier cache ls: {}\n", entries.error().message);
    return kWrongInput;
  }
  if (options.json) {
    for (const auto& entry : *entries) fmt::print("{}\n", json_text(entry_json(entry), kOneLine));
    return kSucceeded;
  }
  std::vector<Row> rows{Row{"KEY", "NODE", "STEPS", "WHOSE", "SIZE", "MADE", "WHAT IS THERE"}};
  for (const auto& entry : *entries) rows.push_back(row_of(entry));
  print_table(rows);
  fmt::print("{}: {}\n", cache->folder().string(), total_text(*entries));
  return kSucceeded;
}

}  // namespace

void add_cache_ls_command(CLI::App& cache, Program& program) {
  auto* command = cache.add_subcommand("ls", "List what is kept, the latest used first");
  auto options = std::make_shared<LsOptions>();
  add_cache_option(*command, options->cache);
  add_json_flag(*command, options->json);
  add_example(*command, "atelier cache ls --json");
  command->callback([&program, options] { program.exit_code = list_it(program, *options); });
}

}  // namespace atelier::cli
