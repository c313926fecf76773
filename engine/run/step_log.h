// run: what a task said while it ran, for people: kept in memory, written to the run's folder when the task fails.
#pragma once
#include <deque>
#include <mutex>
#include <string>

namespace atelier {

// The first and the last lines are kept, so that a long training costs no memory. Thread-safe.
class StepLog {
 public:
  void add(std::string line);
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> first_, last_;
  std::size_t left_out_ = 0;
};

}  // namespace atelier
