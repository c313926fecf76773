#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdio>
#include <thread>

#include "base/log.h"
#include "cli/cache_folder.h"
#include "cli/json_lines.h"
#include "cli/json_text.h"
#include "cli/option_checks.h"
#include "cli/program.h"
#include "cli/run_report.h"
#include "cli/signals.h"
#include "cli/versions.h"
#include "diffusion/machine.h"
#include "run/progress.h"
#include "run/run_batch.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMostCores = 4096;
constexpr std::uint64_t kMostThreads = 1024;
constexpr std::uint64_t kMostCustomers = 1'000'000;
constexpr std::uint64_t kOneDay_s = 86400;
constexpr std::uint64_t kMostRetries = 100;

struct RunCommandOptions {
  BatchOptions batch;
  std::string devices;
  int cores = 0;
  int threads_per_device = 1;
  std::size_t window = 0;
  int grace_s = 20;
  int retries = RunOptions{}.retries;
  std::size_t max_failures = 0;
};

void add_options(CLI::App& command, RunCommandOptions& options) {
  add_batch_options(command, options.batch);
  command
      .add_option("--devices", options.devices,
                  "The devices that train, as in cpu:0,cpu:1 or cuda:0 [all CUDA devices, else cpu:0]")
      ->type_name("DEVICES");
  command.add_option("--cores", options.cores, "CPU cores to use [all]")
      ->type_name("N")
      ->check(whole_number(1, kMostCores));
  command
      .add_option("--threads-per-device", options.threads_per_device,
                  "Threads of a training on a CPU device; results are equal to the bit for equal ones")
      ->type_name("N")
      ->check(whole_number(1, kMostThreads))
      ->capture_default_str();
  command.add_option("--window", options.window, "Customers open at once [4 per device, at least 8]")
      ->type_name("N")
      ->check(whole_number(1, kMostCustomers));
  command.add_option("--grace", options.grace_s, "What running tasks have when a signal asks to stop")
      ->type_name("SECONDS")
      ->check(whole_number(0, kOneDay_s))
      ->capture_default_str();
  command
      .add_option("--retries", options.retries,
                  "How often a task is tried again after a failure that may pass, as of a disk; waits 1 s, 4 s, 16 s …")
      ->type_name("N")
      ->check(whole_number(0, kMostRetries))
      ->capture_default_str();
  command
      .add_option("--max-failures", options.max_failures,
                  "Stop the run once so many customers have failed: the night has gone wrong as a whole [never]")
      ->type_name("N")
      ->check(whole_number(1, kMostCustomers));
}

Machine this_machine(const RunCommandOptions& options) {
  Machine machine;
  machine.cores =
      options.cores > 0 ? options.cores : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  machine.cuda_devices = diffusion::cuda_device_count();
  machine.cuda_memory_bytes = diffusion::cuda_memory_bytes();
  machine.memory_bytes =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
  return machine;
}

void write_to_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void print(const RunResult& result, bool json) {
  if (!json) {
    if (result.folder.empty())
      fmt::print(stderr, "{}", result.summary);
    else
      fmt::print("{}", result.summary);
  } else if (result.folder.empty()) {
    fmt::print("{}\n", json_text(nlohmann::json{{"event", "nothing_run"}, {"reason", result.summary}}, kOneLine));
  }
}

// That there is no report changes nothing in how the run went.
void tell_report(Program& program, const fs::path& run, Store& store, bool json) {
  const auto report = read_run(program.files, run);
  const auto page = report ? write_run_report(program, *report, run, &store) : tl::unexpected(report.error());
  if (!page)
    log(LogLevel::warning, fmt::format("there is no report: {}", page.error().message));
  else if (json)
    fmt::print("{}\n", json_text(nlohmann::json{{"event", "report_written"}, {"path", page->string()}}, kOneLine));
  else
    fmt::print("report: {}\n", page->string());
}

std::vector<std::string> customers_of(const Batch& batch, const std::vector<std::string>& only) {
  if (!only.empty()) return only;
  std::vector<std::string> ids;
  for (const auto& customer : batch.customers) ids.push_back(customer.id);
  return ids;
}

int run_it(Program& program, const RunCommandOptions& options) {
  ::umask(S_IRWXG | S_IRWXO);  // whatever a library writes for a customer is its owner's only
  const Machine machine = this_machine(options);
  const auto devices = parse_devices(options.devices, machine);
  if (!devices) {
    fmt::print(stderr, "{}\n", devices.error().message);
    return kWrongInput;
  }
  const auto batch = read_batch(program, options.batch);
  if (!batch) return program.exit_code;
  const auto cache = open_cache_for(program, options.batch);
  if (!cache) return program.exit_code;

  RunOptions run;
  run.out = fs::absolute(options.batch.out).lexically_normal();
  run.only = options.batch.only;
  run.devices = *devices;
  run.machine = machine;
  run.threads_per_device = options.threads_per_device;
  run.window = options.window;
  run.grace = std::chrono::seconds(options.grace_s);
  run.retries = options.retries;
  run.most_failed_customers = options.max_failures;
  run.watched_folders = {cache->folder()};
  run.cache = cache->folder();
  run.versions = versions();

  // Names the run to a collection of garbage or a purge beside it; the run's folder has its name only later.
  const auto lease = cache->leases().begin_run(
      fmt::format("{}-{}", getpid(), program.clock.wall().time_since_epoch().count()), customers_of(*batch, run.only));
  if (!lease) {
    fmt::print(stderr, "atelier: {}\n", lease.error().message);
    return kWrongInput;
  }
  StopToken stop;
  const SignalStop signals(stop);
  ThreadTicker ticker;
  Progress progress(progress_style(STDERR_FILENO), write_to_stderr);
  JsonLines lines;
  const RunSeams seams{
      .registry = program.registry,
      .store = cache->store(),
      .ledger = cache->ledger(),
      .files = program.files,
      .clock = program.clock,
      .ticker = ticker,
      .stop = stop,
      .observers = {options.batch.json ? static_cast<Observer*>(&lines) : &progress},
      .abandon = [](int exit_code) { _exit(exit_code); },
      .hold = [&](std::span<const Digest> keys) { return (*lease)->hold(keys); },
      .own_paths = [&](std::span<const OwnedPath> paths) { return cache->ledger_on_disk().own_paths(paths); }};
  const RunResult result = run_batch(run, *batch, seams);
  print(result, options.batch.json);
  if (!result.folder.empty()) tell_report(program, result.folder, cache->store(), options.batch.json);
  return result.exit_code;
}

}  // namespace

// `atelier run BATCH`: the night.
void add_run_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("run", "Run a batch: what is done already is not done again");
  auto options = std::make_shared<RunCommandOptions>();
  add_options(*command, *options);
  add_example(*command, "atelier run examples/night/batch.yaml --out out/night --devices cpu:0,cpu:1");
  command->callback([&program, options] { program.exit_code = run_it(program, *options); });
}

}  // namespace atelier::cli
