// run: the beat of a run, a seam: what must happen now and then although no task ends (retries that fall due, signals,
// the event log's flush, the progress line) happens on it.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace atelier {

class Ticker {
 public:
  virtual ~Ticker() = default;
  virtual void start(std::function<void()> beat) = 0;  // `beat` is called from another thread, never twice at once
  virtual void stop() = 0;                             // no beat is under way when it returns
};

// Beats every `period`, the first time one period after the start.
class ThreadTicker final : public Ticker {
 public:
  explicit ThreadTicker(std::chrono::milliseconds period = std::chrono::milliseconds(100)) : period_(period) {}
  ~ThreadTicker() override { ThreadTicker::stop(); }
  void start(std::function<void()> beat) override;
  void stop() override;

 private:
  std::chrono::milliseconds period_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace atelier
