// support: tickers for tests. One never beats; the other beats without pause and lets a manual clock jump with every
// beat, so that whatever waits for a time gets it at once.
#pragma once
#include <atomic>
#include <thread>

#include "run/ticker.h"
#include "support/manual_clock.h"

namespace atelier {

class IdleTicker final : public Ticker {
 public:
  void start(std::function<void()>) override {}
  void stop() override {}
};

class FastTicker final : public Ticker {
 public:
  explicit FastTicker(ManualClock& clock, std::chrono::milliseconds step = std::chrono::milliseconds(100))
      : clock_(clock), step_(step) {}
  ~FastTicker() override { FastTicker::stop(); }
  void start(std::function<void()> beat) override {
    stopping_ = false;
    thread_ = std::thread([this, beat = std::move(beat)] {
      while (!stopping_) {
        clock_.advance(step_);
        beat();
        std::this_thread::yield();
      }
    });
  }
  void stop() override {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  ManualClock& clock_;
  std::chrono::milliseconds step_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace atelier
