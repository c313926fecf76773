#include "run/thread_executor.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace atelier {

// Threads that take assignments from one queue.
class ThreadExecutor::Lane {
 public:
  Lane(std::size_t threads, std::shared_ptr<const Body> body) : body_(std::move(body)) {
    for (std::size_t i = 0; i < threads; ++i) add_worker();
  }
  ~Lane() {
    {
      const std::lock_guard hold(queue_->mutex);
      queue_->ending = true;
    }
    queue_->wake.notify_all();
    for (auto& worker : workers_) worker->thread.join();
  }

  void put(const Assignment& assignment, Done done) {
    {
      const std::lock_guard hold(queue_->mutex);
      queue_->waiting.emplace_back(assignment, std::move(done));
    }
    queue_->wake.notify_one();
  }

  // Another thread takes the place of the one that hangs.
  void give_up(const Attempt* attempt) {
    const std::lock_guard hold(queue_->mutex);
    const auto hanging = std::ranges::find(workers_, attempt, [](const auto& worker) { return worker->at; });
    if (hanging == workers_.end()) return;
    (*hanging)->given_up = true;
    (*hanging)->thread.detach();
    workers_.erase(hanging);
    add_worker();
  }

 private:
  struct Queue {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::pair<Assignment, Done>> waiting;
    bool ending = false;
  };
  struct Worker {
    const Attempt* at = nullptr;  // what it works on
    bool given_up = false;
    std::thread thread;
  };

  void add_worker() {
    workers_.push_back(std::make_shared<Worker>());
    workers_.back()->thread =
        std::thread([queue = queue_, me = workers_.back(), body = body_] { work(*queue, *me, *body); });
  }

  static void work(Queue& queue, Worker& me, const Body& body) {
    std::unique_lock hold(queue.mutex);
    while (!me.given_up) {
      queue.wake.wait(hold, [&] { return queue.ending || !queue.waiting.empty(); });
      if (queue.waiting.empty()) return;
      const auto [assignment, done] = std::move(queue.waiting.front());
      queue.waiting.pop_front();
      me.at = assignment.attempt.get();
      hold.unlock();
      done(assignment, body(assignment));
      hold.lock();
      me.at = nullptr;
    }
  }

  std::shared_ptr<const Body> body_;
  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::vector<std::shared_ptr<Worker>> workers_;
};

ThreadExecutor::ThreadExecutor(std::size_t devices, std::size_t cpu_threads, Body body, Kill kill)
    : kill_(std::move(kill)) {
  const auto shared = std::make_shared<const Body>(std::move(body));
  for (std::size_t i = 0; i < devices; ++i) devices_.push_back(std::make_unique<Lane>(1, shared));
  cpu_ = std::make_unique<Lane>(cpu_threads, shared);
}

ThreadExecutor::~ThreadExecutor() = default;

ThreadExecutor::Lane& ThreadExecutor::lane_of(const Assignment& assignment) const {
  return assignment.admission.device ? *devices_[*assignment.admission.device] : *cpu_;
}

void ThreadExecutor::start(const Assignment& assignment, Done done) {
  lane_of(assignment).put(assignment, std::move(done));
}

void ThreadExecutor::give_up(const Assignment& assignment) { lane_of(assignment).give_up(assignment.attempt.get()); }

}  // namespace atelier
