// cli: the cache that --cache names, or the user's own.
#pragma once
#include <memory>

#include "cache/cache.h"
#include "cli/program.h"
#include "plan/costs.h"

namespace atelier::cli {

// Null where it cannot be opened: told on standard error, and kWrongInput in program.exit_code.
std::unique_ptr<Cache> open_cache_for(Program& program, const BatchOptions& options);

std::unique_ptr<Cache> open_cache(Program& program, const std::filesystem::path& given);

// What the tasks took that the cache remembers.
MeasuredCosts measured_costs(Cache& cache);

// The folder alone.
Expected<std::filesystem::path> cache_folder(const std::filesystem::path& given);

}  // namespace atelier::cli
