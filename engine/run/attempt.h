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
  // It begins now. `timeout`: what it may take; absent: any time. The clock must outlive it.
  explicit Attempt(const Clock& clock, std::optional<std::chrono::seconds> timeout = {})
      : clock_(clock), timeout_(timeout), began_(clock.now()), last_sign_(began_) {}

  // The task says that it is alive. False where nobody waits for it any more.
  bool sign() noexcept {
    last_sign_.store(clock_.now());
    return !given_up_.load();
  }
  Clock::Instant::duration silent_for() const { return clock_.now() - last_sign_.load(); }

  std::optional<std::chrono::seconds> timeout() const { return timeout_; }
  bool overdue() const { return timeout_ && clock_.now() - began_ > *timeout_; }

  // The process that it runs in is ended by force, for it has been silent for so long.
  void killed(std::chrono::seconds silent) noexcept { killed_after_s_.store(silent.count()); }
  std::chrono::seconds killed_after() const { return std::chrono::seconds(killed_after_s_.load()); }  // 0: it was not

  // Nobody waits for it any more: what it still does is not told.
  void give_up() noexcept { given_up_.store(true); }
  bool given_up() const noexcept { return given_up_.load(); }

  StepLog log;

 private:
  const Clock& clock_;
  std::optional<std::chrono::seconds> timeout_;
  Clock::Instant began_;
  std::atomic<Clock::Instant> last_sign_;
  std::atomic<bool> given_up_{false};
  std::atomic<std::int64_t> killed_after_s_{0};
};

}  // namespace atelier
