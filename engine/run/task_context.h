// run: what a running task may ask of the engine, for tasks of this process.
#pragma once
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "artifact/shown.h"
#include "base/clock.h"
#include "base/files.h"
#include "graph/context.h"
#include "graph/task_log.h"
#include "run/attempt.h"
#include "run/event_bus.h"
#include "run/run_folder.h"
#include "run/stop_token.h"

namespace atelier {

class TaskContext final : public Context, public TaskLog {
 public:
  struct Surroundings {  // all must outlive it
    Store& store;
    Files& files;
    const Clock& clock;
    EventBus& events;
    const StopToken& stop;
    const RunFolder& folder;
  };
  // `own` is called before the first checkpoint, so that the ledger knows whose it is. May be empty.
  using Own = std::function<Expected<void>()>;
  TaskContext(const Surroundings& around, TaskRef task, const Digest& key, int threads, Attempt& attempt, Own own = {})
      : around_(around),
        task_(std::move(task)),
        key_(key),
        threads_(threads),
        attempt_(attempt),
        own_(std::move(own)) {}
  ~TaskContext() override;  // removes the scratch folder

  // Its time is over, the run is being stopped, or nobody waits for it any more.
  bool stop_requested() const override { return !attempt_.sign() || attempt_.overdue() || around_.stop.requested(); }
  int threads() const override { return threads_; }
  int times_out_of_memory() const override { return attempt_.times_out_of_memory(); }
  std::filesystem::path scratch() override;
  void progress(double fraction, std::string_view what) override;
  void metric(std::string_view name, std::int64_t step, double value) override;
  void warn(std::string text) override;
  void preview(std::string_view name, std::span<const std::byte> png) override;
  std::optional<Artifact> load_checkpoint() override;
  Expected<void> save_checkpoint(const Artifact& state) override;
  void log(std::string line) override;

  // For a task that runs in a worker, which reaches the store itself and tells of it.
  Expected<void> own();  // tells the ledger whose the task is; once
  void alive() { (void)attempt_.sign(); }
  void preview_at(std::string_view name, const std::filesystem::path& png);
  void looked_for_checkpoint(bool found);
  Expected<void> before_checkpoint();

  std::vector<std::string> warnings() const;  // in the order they were told
  Shown shown() const;                        // previews and curves
  bool used_checkpoints() const { return used_checkpoints_.load(); }
  bool resumed() const { return resumed_.load(); }  // it went on from a checkpoint

 private:
  const Surroundings& around_;
  TaskRef task_;
  Digest key_;
  int threads_;
  Attempt& attempt_;
  Own own_;
  mutable std::mutex mutex_;
  std::filesystem::path scratch_;
  std::vector<std::string> warnings_;
  Shown shown_;
  Clock::Instant told_{};  // when progress was told last
  bool told_any_ = false;
  std::atomic<bool> used_checkpoints_{false}, resumed_{false};
};

}  // namespace atelier
