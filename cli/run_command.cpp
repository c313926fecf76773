#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdio>

#include "base/amounts.h"
#include "base/log.h"
#include "cli/amounts.h"
#include "cli/cache_folder.h"
#include "cli/json_lines.h"
#include "cli/json_text.h"
#include "cli/option_checks.h"
#include "cli/program.h"
#include "cli/run_report.h"
#include "cli/signals.h"
#include "cli/this_machine.h"
#include "cli/versions.h"
#include "run/progress.h"
#include "run/run_batch.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMostCores = 4096;
constexpr std::uint64_t kMostThreads = 1024;
constexpr std::uint64_t kMostTasksPerDevice = 64;
constexpr std::uint64_t kMostCustomers = 1'000'000;
constexpr std::uint64_t kOneDay_s = 86400;

struct RunCommandOptions {
  BatchOptions batch;
  std::string devices;
  int cores = 0;
  std::string memory;
  std::optional<bool> isolate;
  int threads_per_device = 1, tasks_per_device = 1;
  std::size_t window = 0;
  int grace_s = 20;
  std::string hung_after = "15m";
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
      .add_option("--memory", options.memory, "Memory to use, as in 16G: tasks start while their estimates fit [all]")
      ->type_name("SIZE")
      ->check(a_size());
  command.add_flag("--isolate,!--no-isolate", options.isolate,
                   "Run the tasks of each device in a process of their own, whose crash costs one task [for CUDA]");
  command
      .add_option("--threads-per-device", options.threads_per_device,
                  "Threads of a training on a CPU device; results are equal to the bit for equal ones")
      ->type_name("N")
      ->check(whole_number(1, kMostThreads))
      ->capture_default_str();
  command
      .add_option("--tasks-per-device", options.tasks_per_device,
                  "Tasks at once on a device, where the memory of all is known to fit")
      ->type_name("N")
      ->check(whole_number(1, kMostTasksPerDevice))
      ->capture_default_str();
  command.add_option("--window", options.window, "Customers open at once [4 per device, at least 8]")
      ->type_name("N")
      ->check(whole_number(1, kMostCustomers));
  command.add_option("--grace", options.grace_s, "What running tasks have when a signal asks to stop")
      ->type_name("SECONDS")
      ->check(whole_number(0, kOneDay_s))
      ->capture_default_str();
  command
      .add_option("--hung-after", options.hung_after,
                  "A task without a sign of life for so long is given up, with its device; 0s: never")
      ->type_name("TIME")
      ->check(a_time())
      ->capture_default_str();
  command
      .add_option(
          "--retries", options.retries,
          "How often a task is tried again after a failure that may pass, as of a disk, where its step does not say; "
          "waits 1 s, 4 s, 16 s …")
      ->type_name("N")
      ->check(whole_number(0, std::uint64_t{most_retries}))
      ->capture_default_str();
  command
      .add_option("--max-failures", options.max_failures,
                  "Stop the run once so many customers have failed: the night has gone wrong as a whole [never]")
      ->type_name("N")
      ->check(whole_number(1, kMostCustomers));
}

// What the run may use of the machine.
Machine machine_for(const RunCommandOptions& options) {
  Machine machine = this_machine();
  if (options.cores > 0) machine.cores = options.cores;
  if (!options.memory.empty()) machine.memory_bytes = *bytes_of(options.memory);
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

// This program again, whatever it is called now.
std::vector<WorkerCommand> worker_commands(const std::vector<DeviceName>& devices, const fs::path& cache) {
  std::vector<WorkerCommand> commands;
  for (const auto& device : devices)
    commands.push_back(
        {.device = device.text(),
         .arguments = {"/proc/self/exe", "worker", "--device", device.text(), "--cache", cache.string()}});
  return commands;
}

int run_it(Program& program, const RunCommandOptions& options) {
  ::umask(S_IRWXG | S_IRWXO);  // whatever a library writes for a customer is its owner's only
  const Machine machine = machine_for(options);
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
  run.devices = in_slots(*devices, options.tasks_per_device);
  run.machine = machine;
  run.threads_per_device = options.threads_per_device;
  run.window = options.window;
  run.grace = std::chrono::seconds(options.grace_s);
  run.hung_after = *duration_of(options.hung_after);
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
  const auto processes = make_posix_processes();
  std::unique_ptr<Workers> workers;
  if (options.isolate.value_or(devices->front().cuda))
    workers = make_process_workers(*processes, worker_commands(run.devices, cache->folder()));
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
      .own_paths = [&](std::span<const OwnedPath> paths) { return cache->ledger_on_disk().own_paths(paths); },
      .costs = measured_costs(*cache),
      .workers = workers.get()};
  const RunResult result = run_batch(run, *batch, seams);
  print(result, options.batch.json);
  if (!result.folder.empty()) tell_report(program, result.folder, cache->store(), options.batch.json);
  if (result.left_behind) {  // a thread that hangs would be waited for
    std::fflush(nullptr);
    _exit(result.exit_code);
  }
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
