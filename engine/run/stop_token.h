// run: the wish to stop. Set by a signal handler or by the run itself, read by everyone.
#pragma once
#include <atomic>
#include <mutex>
#include <string>

namespace atelier {

class StopToken {
 public:
  // Async-signal-safe. The first asks the run to stop in order, a second one at once.
  void request(int signal) noexcept {
    int none = 0;
    signal_.compare_exchange_strong(none, signal);
    requests_.fetch_add(1);
  }
  // The run stops itself in order; the first reason stays.
  void halt(const std::string& reason) {
    const std::lock_guard hold(mutex_);
    if (halted_.exchange(true)) return;
    reason_ = reason;
  }

  bool requested() const noexcept { return requests_.load() > 0 || halted_.load(); }
  bool at_once() const noexcept { return requests_.load() > 1; }
  int signal() const noexcept { return signal_.load(); }  // 0: none
  bool halted() const noexcept { return halted_.load(); }
  std::string reason() const {
    const std::lock_guard hold(mutex_);
    return reason_;
  }

 private:
  std::atomic<int> signal_{0}, requests_{0};
  std::atomic<bool> halted_{false};
  mutable std::mutex mutex_;
  std::string reason_;
};

}  // namespace atelier
