#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <mutex>
#include <thread>

#include "cli/cache_folder.h"
#include "cli/program.h"
#include "cli/this_machine.h"
#include "run/worker.h"

namespace atelier::cli {
namespace {

struct WorkerOptions {
  std::string device;
  std::filesystem::path cache;
};

// Where answers go: what else is written to the standard output, by whatever library, goes to the standard error.
std::FILE* take_standard_output() {
  const int kept = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  return ::fdopen(kept, "w");
}

int work(Program& program, const WorkerOptions& options) {
  ::umask(S_IRWXG | S_IRWXO);
  std::FILE* const answers = take_standard_output();
  const Machine machine = this_machine();
  const auto names = parse_devices(options.device, machine);
  if (!names) {
    fmt::print(stderr, "{}\n", names.error().message);
    return kWrongInput;
  }
  const auto cache = open_cache(program, options.cache);
  if (!cache) return program.exit_code;
  const RunDevices devices = make_devices({names->front()}, machine);
  std::mutex mutex;
  const bool understood = carry_out_orders({.registry = program.registry,
                                            .store = cache->store(),
                                            .files = program.files,
                                            .clock = program.clock,
                                            .device = *devices.devices.front(),
                                            .read_line = []() -> std::optional<std::string> {
                                              std::string line;
                                              if (!std::getline(std::cin, line)) return {};
                                              return line;
                                            },
                                            .write_line =
                                                [&](const std::string& line) {
                                                  const std::lock_guard hold(mutex);
                                                  std::fputs((line + '\n').c_str(), answers);
                                                  std::fflush(answers);
                                                },
                                            .abandoned = [] { ::_exit(kSomeFailed); }});
  return understood ? kSucceeded : kWrongInput;
}

}  // namespace

// `atelier worker`: carries out the device tasks of a run in a process of their own. A run starts it; it is no command
// for people.
void add_worker_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("worker", "Carry out a run's orders, read from the standard input");
  command->group("");
  auto options = std::make_shared<WorkerOptions>();
  command->add_option("--device", options->device, "The device")->required()->type_name("DEVICE");
  command->add_option("--cache", options->cache, "The run's cache")->required()->type_name("DIR");
  command->callback([&program, options] { program.exit_code = work(program, *options); });
}

}  // namespace atelier::cli
