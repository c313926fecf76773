// support: a clock that stands still until it is told to go on.
#pragma once
#include <mutex>

#include "base/clock.h"

namespace atelier {

class ManualClock final : public Clock {
 public:
  ManualClock() = default;
  explicit ManualClock(WallTime wall) : wall_(wall) {}

  Instant now() const override {
    const std::lock_guard hold(mutex_);
    return now_;
  }
  WallTime wall() const override {
    const std::lock_guard hold(mutex_);
    return wall_;
  }
  void advance(std::chrono::nanoseconds by) {
    const std::lock_guard hold(mutex_);
    now_ += std::chrono::duration_cast<Instant::duration>(by);
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  }
  void set_wall(WallTime wall) {
    const std::lock_guard hold(mutex_);
    wall_ = wall;
  }

 private:
  mutable std::mutex mutex_;
  Instant now_{};
  WallTime wall_{std::chrono::seconds(1'700'000'000)};  // some day in 2023
};

}  // namespace atelier
