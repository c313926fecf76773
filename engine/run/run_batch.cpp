#include "run/run_batch.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "plan/file_digests.h"
#include "plan/memory.h"
#include "plan/owned_paths.h"
#include "plan/planner.h"
#include "run/error_names.h"
#include "run/event_log.h"
#include "run/summary.h"
#include "run/wave.h"

namespace atelier {
namespace {

constexpr std::chrono::seconds between_disk_checks{5};
constexpr int signal_exit_base = 128;

class Run {
 public:
  Run(const RunOptions& options, const Batch& batch, const RunSeams& seams, RunFolder folder,
      std::unique_ptr<EventLog> event_log)
      : options_(options),
        batch_(batch),
        seams_(seams),
        folder_(std::move(folder)),
        event_log_(std::move(event_log)),
        events_(seams.clock, observers()),
        digest_(remembered_digests(seams.files, seams.ledger, seams.clock)),
        devices_(make_devices(options.devices, options.machine)),
        lease_(seams.hold) {
    history_.started = seams.clock.now();
  }

  RunResult run() {
    events_.emit(opening());
    check_disk();
    seams_.ticker.start([this] { beat(); });
    std::optional<Error> wrong;
    try {
      wrong = run_waves();
    } catch (const std::exception& error) {
      seams_.stop.halt(error.what());
    }
    seams_.ticker.stop();
    tell_stop();
    if (wrong) return refused(wrong->message);
    return result();
  }

  bool left_behind() const { return !left_behind_.empty(); }

 private:
  std::vector<Observer*> observers() {
    std::vector<Observer*> all{event_log_.get(), &summary_};
    all.insert(all.end(), seams_.observers.begin(), seams_.observers.end());
    return all;
  }

  RunStarted opening() const {
    RunStarted told{.run = folder_.name,
                    .batch = batch_.file.string(),
                    .pipeline = batch_.pipeline.file.string(),
                    .out = options_.out.string(),
                    .folder = folder_.path.string(),
                    .customers = options_.only.empty() ? batch_.customers.size() : options_.only.size(),
                    .devices = device_names(),
                    .cores = options_.machine.cores,
                    .window = options_.window ? options_.window : default_window(options_.devices.size()),
                    .threads_per_device = options_.threads_per_device,
                    .cache = options_.cache.string(),
                    .customer_ids = options_.only,
                    .versions = options_.versions};
    if (options_.only.empty())
      for (const auto& customer : batch_.customers) told.customer_ids.push_back(customer.id);
    for (const auto& [name, value] : batch_.values_for(nullptr)) told.params[name] = value.show();
    return told;
  }

  std::vector<std::string> device_names() const {
    std::vector<std::string> names;
    for (const auto& device : options_.devices)
      if (std::ranges::find(names, device.text()) == names.end()) names.push_back(device.text());
    return names;
  }

  // An error where there is no plan.
  std::optional<Error> run_waves() {
    for (int number = 1; !seams_.stop.requested(); ++number) {
      seams_.ledger.refresh();
      auto made = make_plan(batch_, plan_options(), {seams_.ledger, seams_.store, seams_.files, digest_});
      if (!made) return made.error();
      const auto plan = std::make_shared<const Plan>(std::move(*made));
      if (const auto owned = own_paths(*plan, number); !owned) {
        seams_.stop.halt(halt_reason(owned.error()));
        break;
      }
      if (!run_wave(plan, number)) break;
    }
    return {};
  }

  // Before anything is read or written for them.
  Expected<void> own_paths(const Plan& plan, int wave) const {
    if (!seams_.own_paths || wave > 1) return {};
    return seams_.own_paths(owned_paths_of(plan, batch_, options_.out, folder_.path));
  }

  PlanOptions plan_options() const {
    PlanOptions plan{.out = options_.out, .only = options_.only, .failed = {}};
    for (const auto& [digest, failure] : history_.failures)
      plan.failed.emplace(digest, fmt::format("{} failed", failure.task));
    return plan;
  }

  // Whether another wave is needed.
  bool run_wave(const std::shared_ptr<const Plan>& plan, int number) {
    auto wave = std::make_unique<Wave>(
        Wave::Surroundings{*plan, batch_, seams_.registry, seams_.store, seams_.ledger, seams_.files, seams_.clock,
                           digest_, options_.out, folder_, events_, seams_.stop, devices_, lease_, history_,
                           seams_.costs, seams_.workers},
        WaveOptions{.capacity = capacity(),
                    .window = options_.window,
                    .retries = options_.retries,
                    .hung_after = options_.hung_after,
                    .most_failed_customers = options_.most_failed_customers,
                    .number = number,
                    .last = number >= options_.most_waves});
    set_wave(wave.get());
    wave->run();
    set_wave(nullptr);
    for (const auto& customer : plan->by_customer) selected_ += number == 1 && !customer.empty() ? 1 : 0;
    remember(*plan, *wave);
    const bool again = wave->table().any_lost();
    drained_.insert(wave->drained().begin(), wave->drained().end());
    if (wave->left_behind()) left_behind_.push_back({plan, std::move(wave)});
    return again;
  }

  void remember(const Plan& plan, const Wave& wave) const {
    const auto remembered = seams_.ledger.remember_steps(
        batch_place(batch_), memories_of(plan, batch_, wave.table().records(), seams_.ledger));
    if (!remembered)
      log(LogLevel::warning,
          fmt::format("the next run will not say why a step runs again: {}", remembered.error().message));
  }

  Capacity capacity() const {
    Capacity capacity{
        .cores = std::max(1, options_.machine.cores), .memory_bytes = options_.machine.memory_bytes, .devices = {}};
    for (const auto& device : options_.devices) {
      const auto index = static_cast<std::size_t>(device.index);
      const bool drained = drained_.contains(capacity.devices.size());
      const auto& memory = options_.machine.cuda_memory_bytes;
      capacity.devices.push_back({.id = device.text(),
                                  .threads = std::max(1, options_.threads_per_device),
                                  .memory_bytes = device.cuda && index < memory.size() ? memory[index] : 0,
                                  .on_host = !device.cuda,
                                  .drained = drained});
    }
    return capacity;
  }

  void set_wave(Wave* wave) {
    const std::lock_guard hold(mutex_);
    wave_ = wave;
  }

  // On the ticker's thread.
  void beat() {
    {
      const std::lock_guard hold(mutex_);
      tell_stop();
      if (wave_) wave_->beat();
    }
    check_disk();
    if (const auto held = lease_.flush(); !held) seams_.stop.halt(halt_reason(held.error()));
    events_.beat();
    check_grace();
  }

  void tell_stop() {
    if (!seams_.stop.requested() || stop_told_) return;
    stop_told_ = seams_.clock.now();
    events_.emit(StopRequested{seams_.stop.signal(), seams_.stop.reason()});
  }

  void check_grace() {
    if (!stop_told_ || abandoned_ || !seams_.abandon) return;
    if (!seams_.stop.at_once() && seams_.clock.now() - *stop_told_ < options_.grace) return;
    abandoned_ = true;
    seams_.abandon(exit_code());
  }

  void check_disk() {
    const auto now = seams_.clock.now();
    if (options_.least_free_bytes == 0 || (disk_checked_ && now - *disk_checked_ < between_disk_checks)) return;
    disk_checked_ = now;
    auto folders = options_.watched_folders;
    folders.push_back(options_.out);
    for (const auto& folder : folders) {
      const auto free = seams_.files.free_bytes(folder);
      if (free && *free < options_.least_free_bytes)
        seams_.stop.halt(fmt::format("{}: only {} MB are free, at least {} MB must be", folder.string(), *free >> 20,
                                     options_.least_free_bytes >> 20));
    }
  }

  int exit_code() const {
    if (seams_.stop.signal() != 0) return signal_exit_base + seams_.stop.signal();
    if (seams_.stop.halted()) return static_cast<int>(ExitCode::stopped_itself);
    if (history_.failed_customers > 0 && history_.failed_customers >= selected_)
      return static_cast<int>(ExitCode::all_failed);
    const bool failed = history_.failed_customers > 0 || history_.batch_task_failed;
    return static_cast<int>(failed ? ExitCode::some_failed : ExitCode::succeeded);
  }

  RunResult refused(const std::string& why) {
    events_.emit(RunFinished{static_cast<int>(ExitCode::wrong), 0});
    return {.exit_code = static_cast<int>(ExitCode::wrong), .folder = {}, .summary = why + '\n'};
  }

  RunResult result() {
    const double seconds = std::chrono::duration<double>(seams_.clock.now() - history_.started).count();
    events_.emit(RunFinished{exit_code(), seconds});
    (void)seams_.files.remove_all(folder_.scratch());
    return {.exit_code = exit_code(),
            .folder = folder_.path,
            .summary = summary_.text(),
            .executed = history_.executed,
            .succeeded = summary_.succeeded(),
            .failed = history_.failed_customers,
            .left_behind = left_behind()};
  }

  const RunOptions& options_;
  const Batch& batch_;
  const RunSeams& seams_;
  RunFolder folder_;
  std::unique_ptr<EventLog> event_log_;
  Summary summary_;
  EventBus events_;
  FileDigest digest_;
  RunDevices devices_;
  KeyLease lease_;
  RunHistory history_;
  std::size_t selected_ = 0;  // customers
  std::mutex mutex_;          // for wave_, which a beat may use
  Wave* wave_ = nullptr;
  std::set<std::size_t> drained_;  // devices
  struct LeftBehind {
    std::shared_ptr<const Plan> plan;
    std::unique_ptr<Wave> wave;
  };
  std::vector<LeftBehind> left_behind_;
  std::optional<Clock::Instant> stop_told_, disk_checked_;
  bool abandoned_ = false;
};

// Threads that were left behind use it until the process ends.
void keep_for_good(std::unique_ptr<Run> run) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<Run>>;
  const std::lock_guard hold(mutex);
  kept.push_back(std::move(run));
}

}  // namespace

RunResult run_batch(const RunOptions& options, const Batch& batch, const RunSeams& seams) {
  const auto refused = [](const Error& why) {
    const bool full = why.kind == ErrorKind::disk_full;
    return RunResult{.exit_code = static_cast<int>(full ? ExitCode::stopped_itself : ExitCode::wrong),
                     .folder = {},
                     .summary = halt_reason(why) + '\n'};
  };
  auto folder = open_run_folder(seams.files, seams.clock, options.out);
  if (!folder) return refused(folder.error());
  auto event_log = EventLog::open(seams.files, folder->events());
  if (!event_log) return refused(event_log.error());
  auto run = std::make_unique<Run>(options, batch, seams, std::move(*folder), std::move(*event_log));
  auto result = run->run();
  if (run->left_behind()) keep_for_good(std::move(run));
  return result;
}

}  // namespace atelier
