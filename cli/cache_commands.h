// cli: the commands that look after a cache: those of `atelier cache`, and `atelier purge`.
#pragma once
#include <memory>

#include "cache/entries.h"
#include "cli/program.h"

namespace atelier::cli {

// Each adds one command to `atelier cache`.
void add_cache_ls_command(CLI::App& cache, Program& program);
void add_cache_show_command(CLI::App& cache, Program& program);
void add_cache_verify_command(CLI::App& cache, Program& program);
void add_cache_gc_command(CLI::App& cache, Program& program);

void add_cache_option(CLI::App& command, std::filesystem::path& cache);

// The cache that --cache names. Null where there is none, or where it cannot be opened: told on standard error, and
// kWrongInput in program.exit_code. Unlike a run, who looks after a cache makes none. `told` as open_cache() takes it.
std::unique_ptr<Cache> open_existing_cache(Program& program, const std::filesystem::path& given, Told told);
// Told on the program's log.
std::unique_ptr<Cache> open_existing_cache(Program& program, const std::filesystem::path& given);

// "anna, ben", "the batch", "the batch, anna" or "nobody".
std::string owners_text(const CacheEntry& entry);
nlohmann::ordered_json entry_json(const CacheEntry& entry);
std::string moment_text(std::int64_t since_epoch_ns);  // "2026-11-30 04:58:31 UTC", or "-" for 0

}  // namespace atelier::cli
