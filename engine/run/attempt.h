// run: one try of a task, as who runs it and who watches over it both see it: its log, its signs of life, its time.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "run/step_log.h"

namespace atelier {

// Thread-safe.
class Attempt {
 public:
  // It begins now. `timeout`: what it may take; absent: any time. `times_out_of_memory`: in the tries before. The clock
  // must outlive it.
  explicit Attempt(const Clock& clock, std::optional<std::chrono::seconds> timeout = {}, int times_out_of_memory = 0)
      : clock_(clock),
        timeout_(timeout),
        times_out_of_memory_(times_out_of_memory),
        began_(clock.now()),
        last_sign_(began_) {}

  // The task says that it is alive. False where nobody waits for it any more.
  bool sign() noexcept {
    last_sign_.store(clock_.now());
    return !given_up_.load();
  }
  Clock::Instant::duration silent_for() const { return clock_.now() - last_sign_.load(); }

  int times_out_of_memory() const { return times_out_of_memory_; }
  std::optional<std::chrono::seconds> timeout() const { return timeout_; }
  bool overdue() const { return timeout_ && clock_.now() - began_ > *timeout_; }

  // It is given up, or the process that it runs in ended by force, for it has been silent for so long.
  void hung(std::chrono::seconds silent) noexcept { hung_after_s_.store(silent.count()); }
  std::chrono::seconds hung_after() const { return std::chrono::seconds(hung_after_s_.load()); }  // 0: it did not hang

  // Nobody waits for it any more: what it still does is not told.
  void give_up() noexcept { given_up_.store(true); }
  bool given_up() const noexcept { return given_up_.load(); }

  StepLog log;

 private:
  const Clock& clock_;
  std::optional<std::chrono::seconds> timeout_;
  int times_out_of_memory_;
  Clock::Instant began_;
  std::atomic<Clock::Instant> last_sign_;
  std::atomic<bool> given_up_{false};
  std::atomic<std::int64_t> hung_after_s_{0};
};

}  // namespace atelier
