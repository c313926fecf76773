#include "run/ticker.h"

namespace atelier {

void ThreadTicker::start(std::function<void()> beat) {
  stop();
  stopping_ = false;
  thread_ = std::thread([this, beat = std::move(beat)] {
    std::unique_lock hold(mutex_);
    while (!wake_.wait_for(hold, period_, [&] { return stopping_; })) {
      hold.unlock();
      beat();
      hold.lock();
    }
  });
}

void ThreadTicker::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard hold(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

}  // namespace atelier
