// run: hands every event to every observer, one at a time, with the time it happened.
#pragma once
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "run/events.h"

namespace atelier {

class EventBus {
 public:
  // Observers and clock must outlive it.
  EventBus(const Clock& clock, std::vector<Observer*> observers) : clock_(clock), observers_(std::move(observers)) {}

  template <class T>
  void emit(T what) {
    Event event;
    event.what = std::move(what);
    const std::lock_guard hold(mutex_);
    event.time_s = std::chrono::duration<double>(clock_.wall().time_since_epoch()).count();
    for (Observer* const observer : observers_) observer->on(event);
  }
  void beat() {
    const std::lock_guard hold(mutex_);
    for (Observer* const observer : observers_) observer->beat();
  }

 private:
  const Clock& clock_;
  std::vector<Observer*> observers_;
  std::mutex mutex_;
};

}  // namespace atelier
