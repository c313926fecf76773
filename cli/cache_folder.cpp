#include "cli/cache_folder.h"

#include <fmt/format.h>
#include <cstdlib>

#include "base/log.h"

namespace atelier::cli {
namespace fs = std::filesystem;

Expected<fs::path> cache_folder(const fs::path& given) {
  if (!given.empty()) return fs::absolute(given).lexically_normal();
  return default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"));
}

MeasuredCosts measured_costs(Cache& cache) {
  MeasuredCosts costs;
  cache.ledger_on_disk().each_record([&](const Record& record) { costs.add(record); });
  return costs;
}

std::unique_ptr<Cache> open_cache_for(Program& program, const BatchOptions& options) {
  return open_cache(program, options.cache);
}

std::unique_ptr<Cache> open_cache(Program& program, const fs::path& given) {
  const auto folder = cache_folder(given);
  auto cache = folder ? atelier::open_cache(
                            program.files, *folder,
                            [](const std::string& sentence) { log(LogLevel::warning, sentence); }, program.clock)
                      : tl::unexpected(folder.error());
  if (cache) return std::move(*cache);
  fmt::print(stderr, "atelier: {}\n", cache.error().message);
  program.exit_code = kWrongInput;
  return nullptr;
}

}  // namespace atelier::cli
