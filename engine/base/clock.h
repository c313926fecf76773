// base: the clock, a seam.
#pragma once
#include <chrono>

namespace atelier {

class Clock {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  using WallTime = std::chrono::system_clock::time_point;
  virtual ~Clock() = default;
  virtual Instant now() const = 0;    // for durations
  virtual WallTime wall() const = 0;  // for names and logs, never for results
};

class SystemClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};

}  // namespace atelier
