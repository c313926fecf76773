#include "cli/signals.h"

#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

namespace atelier::cli {
namespace {

// What a handler may touch: lock-free atomics and a pipe.
std::atomic<int> first_signal{0};
std::atomic<int> wake_descriptor{-1};
constexpr int kSignalBase = 128;  // a shell's exit code of a process that a signal ended

void on_signal(int number) {
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, number)) _exit(kSignalBase + number);
  const char byte = 's';
  [[maybe_unused]] const auto written = write(wake_descriptor.load(), &byte, 1);
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, nullptr);
}

}  // namespace

SignalStop::SignalStop() {
  if (pipe2(pipe_, O_CLOEXEC) != 0) throw Fault("no pipe could be opened");
  first_signal = 0;
  wake_descriptor = pipe_[1];
  waiter_ = std::jthread([this] {
    char byte = 0;
    if (read(pipe_[0], &byte, 1) == 1 && byte == 's') source_.request_stop();
  });
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
}

SignalStop::~SignalStop() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
  const char end = 'e';
  [[maybe_unused]] const auto written = write(pipe_[1], &end, 1);
  waiter_.join();
  close(pipe_[0]);
  close(pipe_[1]);
}

int SignalStop::signal() const { return first_signal; }

}  // namespace atelier::cli
