#include "run/thread_executor.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace atelier {

// Threads that take assignments from one queue.
class ThreadExecutor::Lane {
 public:
  Lane(std::size_t threads, const Body& body) : body_(body) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Lane() {
    {
      const std::lock_guard hold(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  void put(const Assignment& assignment, Done done) {
    {
      const std::lock_guard hold(mutex_);
      queue_.emplace_back(assignment, std::move(done));
    }
    wake_.notify_one();
  }

 private:
  void work() {
    std::unique_lock hold(mutex_);
    for (;;) {
      wake_.wait(hold, [&] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const auto [assignment, done] = std::move(queue_.front());
      queue_.pop_front();
      hold.unlock();
      done(assignment, body_(assignment));
      hold.lock();
    }
  }

  const Body& body_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<Assignment, Done>> queue_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

ThreadExecutor::ThreadExecutor(std::size_t devices, std::size_t cpu_threads, Body body) : body_(std::move(body)) {
  for (std::size_t i = 0; i < devices; ++i) devices_.push_back(std::make_unique<Lane>(1, body_));
  cpu_ = std::make_unique<Lane>(cpu_threads, body_);
}

ThreadExecutor::~ThreadExecutor() = default;

void ThreadExecutor::start(const Assignment& assignment, Done done) {
  Lane& lane = assignment.admission.device ? *devices_[*assignment.admission.device] : *cpu_;
  lane.put(assignment, std::move(done));
}

}  // namespace atelier
