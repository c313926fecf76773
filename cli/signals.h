// cli: SIGINT and SIGTERM. The first asks the run to stop (trainings checkpoint), the second ends it at once.
#pragma once
#include <stop_token>
#include <thread>

namespace atelier::cli {

// Installed for the time of a run; afterwards the signals are as they were. One at a time.
class SignalStop {
 public:
  SignalStop();
  ~SignalStop();
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  int signal() const;  // which one came first; 0: none

 private:
  std::stop_source source_;
  std::jthread waiter_;
  int pipe_[2] = {-1, -1};
};

}  // namespace atelier::cli
