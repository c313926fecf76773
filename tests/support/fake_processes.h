// support: processes that are threads of the test: a program is a function that reads lines and tells lines.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/process.h"

namespace atelier {

// Lines from one side to the other.
class FakePipe {
 public:
  bool put(std::string line) {
    const std::lock_guard hold(mutex_);
    if (closed_) return false;
    lines_.push_back(std::move(line));
    wake_.notify_all();
    return true;
  }
  // What was put before it was closed is still read, unless it was dropped.
  std::optional<std::string> get() {
    std::unique_lock hold(mutex_);
    wake_.wait(hold, [this] { return closed_ || !lines_.empty(); });
    if (lines_.empty()) return {};
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    return line;
  }
  void close(bool drop = false) {
    const std::lock_guard hold(mutex_);
    closed_ = true;
    if (drop) lines_.clear();
    wake_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> lines_;
  bool closed_ = false;
};

// What a program sees of its process.
struct FakeSelf {
  std::shared_ptr<FakePipe> input = std::make_shared<FakePipe>(), output = std::make_shared<FakePipe>();
  std::function<void(std::string)> on_error_line{};
  ProcessCommand command{};

  std::optional<std::string> read_line() const { return input->get(); }
  void write_line(const std::string& line) const { output->put(line); }
};

class FakeProcesses final : public Processes {
 public:
  using Program = std::function<int(FakeSelf&)>;  // gives the exit code
  explicit FakeProcesses(Program program) : program_(std::move(program)) {}

  Expected<std::unique_ptr<Process>> start(const ProcessCommand& command) override {
    ++started;
    if (refuse) return tl::unexpected(*refuse);
    auto self = std::make_shared<FakeSelf>();
    self->on_error_line = command.on_error_line;
    self->command = command;
    return std::make_unique<Running>(std::move(self), program_);
  }

  std::atomic<int> started{0};
  std::optional<Error> refuse{};

 private:
  class Running final : public Process {
   public:
    Running(std::shared_ptr<FakeSelf> self, const Program& program) : self_(std::move(self)) {
      thread_ = std::thread([this, program] {
        exit_code_ = program(*self_);
        self_->output->close();
      });
    }
    ~Running() override {
      Running::kill(9);
      if (thread_.joinable()) thread_.join();
    }
    bool write_line(std::string_view line) override { return self_->input->put(std::string(line)); }
    void close_input() override { self_->input->close(); }
    std::optional<std::string> read_line() override { return self_->output->get(); }
    void kill(int signal) override {
      signal_ = signal;
      self_->output->close(true);  // first: once its input ends, the program may go on, and nobody must hear of it
      self_->input->close(true);
    }
    ProcessEnd wait() override {
      if (thread_.joinable()) thread_.join();
      return {.exit_code = signal_ ? 0 : exit_code_, .signal = signal_};
    }

   private:
    std::shared_ptr<FakeSelf> self_;
    std::thread thread_;
    int exit_code_ = 0;
    std::atomic<int> signal_{0};
  };

  Program program_;
};

}  // namespace atelier
