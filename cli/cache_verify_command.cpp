// `atelier cache verify`: all content read and checked.
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <thread>

#include "base/amounts.h"
#include "cache/verify.h"
#include "cli/cache_commands.h"
#include "cli/json_text.h"
#include "report/text.h"

namespace atelier::cli {
namespace {

struct VerifyCommandOptions {
  std::filesystem::path cache;
  bool json = false;
};

void print_progress(std::uint64_t done, std::uint64_t all) {
  fmt::print(stderr, "\rverified {} of {}\x1b[K{}", show_bytes(done), show_bytes(all), done == all ? "\n" : "");
  std::fflush(stderr);
}

nlohmann::ordered_json json_of(const VerifyResult& result) {
  nlohmann::ordered_json json = {{"checked", result.checked},
                                 {"bytes", result.checked_bytes},
                                 {"without_record", result.without_record},
                                 {"damaged", nlohmann::ordered_json::array()}};
  for (const auto& damaged : result.damaged)
    json["damaged"].push_back({{"key", damaged.file.key.hex()},
                               {"path", damaged.file.path.string()},
                               {"reason", damaged.reason},
                               {"now", damaged.now.string()}});
  return json;
}

void print_result(const VerifyResult& result) {
  for (const auto& damaged : result.damaged)
    fmt::print("damaged: {}: {}; it is now {}\n", damaged.file.path.string(), damaged.reason, damaged.now.string());
  fmt::print("checked {}, {}: ", plural(result.checked, "file", "files"), show_bytes(result.checked_bytes));
  if (result.damaged.empty())
    fmt::print("all are as they were written\n");
  else
    fmt::print("{} damaged; the next run makes them again\n", result.damaged.size());
  if (result.without_record > 0)
    fmt::print("{} without a record in the ledger: `atelier cache gc` removes them\n", result.without_record);
}

int verify_it(Program& program, const VerifyCommandOptions& options) {
  const auto cache = open_existing_cache(program, options.cache, [](const std::string&) {});
  if (!cache) return program.exit_code;
  VerifyOptions verify;
  verify.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (!options.json && ::isatty(STDERR_FILENO)) verify.progress = print_progress;
  const auto result = verify_cache(program.files, cache->folder(), cache->store_on_disk(), cache->ledger(), verify);
  if (!result) {
    fmt::print(stderr, "atelier cache verify: {}\n", result.error().message);
    return kWrongInput;
  }
  if (options.json)
    fmt::print("{}\n", json_text(json_of(*result), kIndented));
  else
    print_result(*result);
  return result->damaged.empty() ? kSucceeded : kSomeFailed;
}

}  // namespace

void add_cache_verify_command(CLI::App& cache, Program& program) {
  auto* command = cache.add_subcommand("verify", "Read and check all content; exit code 1 where something is damaged");
  auto options = std::make_shared<VerifyCommandOptions>();
  add_cache_option(*command, options->cache);
  add_json_flag(*command, options->json);
  add_example(*command, "atelier cache verify");
  command->callback([&program, options] { program.exit_code = verify_it(program, *options); });
}

}  // namespace atelier::cli
