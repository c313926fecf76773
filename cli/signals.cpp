#include "cli/signals.h"

#include <unistd.h>
#include <atomic>
#include <csignal>

namespace atelier::cli {
namespace {

constexpr int kSignalBase = 128;  // a shell's exit code of a process that a signal ended
std::atomic<StopToken*> told{nullptr};

void on_signal(int number) {
  StopToken* const stop = told.load();
  if (!stop || stop->signal() != 0) _exit(kSignalBase + number);
  stop->request(number);
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, nullptr);
}

}  // namespace

SignalStop::SignalStop(StopToken& stop) {
  told = &stop;
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
}

SignalStop::~SignalStop() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
  told = nullptr;
}

}  // namespace atelier::cli
