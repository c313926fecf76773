#include <fmt/format.h>
#include <signal.h>

#include <deque>
#include <memory>
#include <mutex>

#include "run/error_names.h"
#include "run/worker_words.h"
#include "run/workers.h"

namespace atelier {
namespace {

using Json = nlohmann::json;
using Answer = tl::expected<Made, NotMade>;
constexpr std::size_t most_last_lines = 3;

// What a worker writes to its standard error: for the log of the task it is on.
class ErrorLines {
 public:
  void on(std::string line) {
    const std::lock_guard hold(mutex_);
    if (attempt_) attempt_->log.add("worker: " + line);
    last_.push_back(std::move(line));
    if (last_.size() > most_last_lines) last_.pop_front();
  }
  void belong_to(Attempt* attempt) {
    const std::lock_guard hold(mutex_);
    attempt_ = attempt;
    last_.clear();
  }
  std::string last() const {
    const std::lock_guard hold(mutex_);
    std::string text;
    for (const auto& line : last_) text += (text.empty() ? "" : " / ") + line;
    return text;
  }

 private:
  mutable std::mutex mutex_;
  Attempt* attempt_ = nullptr;
  std::deque<std::string> last_;
};

// One order on its way: what the worker tells of it goes to the task's context.
class Conversation {
 public:
  Conversation(const JobOrder& order, TaskContext& context) : order_(order), context_(context) {}

  // The answer, once the line is it. Throws where the line is none of a worker's.
  std::optional<Answer> hear(const std::string& line) {
    namespace words = worker_words;
    const Json told = Json::parse(line);
    const std::string word = told.at("tells");
    if (word == words::made) return made(told);
    if (word == words::failed)
      return tl::unexpected(NotMade{.error = {error_kind_named(told.at("kind").get<std::string>()), told.at("message")},
                                    .crashed = false,
                                    .halts = told.value("halts", false)});
    context_.alive();
    if (word == words::progress) context_.progress(told.at("fraction"), told.at("what").get<std::string>());
    if (word == words::metric) context_.metric(told.at("name").get<std::string>(), told.at("step"), told.at("value"));
    if (word == words::warning) context_.warn(told.at("text"));
    if (word == words::preview)
      context_.preview_at(told.at("name").get<std::string>(), order_.scratch / told.at("path").get<std::string>());
    if (word == words::looked_for_checkpoint) context_.looked_for_checkpoint(told.at("found"));
    if (word == words::saves_checkpoint) (void)context_.before_checkpoint();
    return {};
  }

 private:
  static Answer made(const Json& told) {
    Made made{.outputs = {}, .seconds = told.at("seconds")};
    for (const auto& [port, output] : told.at("outputs").items()) {
      const auto digest = Digest::from_hex(output.at("digest").get<std::string>());
      if (!digest) throw UserError("a worker told of an output without a digest");
      made.outputs[port] = {*digest, output.at("size")};
    }
    return made;
  }

  const JobOrder& order_;
  TaskContext& context_;
};

class Worker {
 public:
  Worker(Processes& processes, WorkerCommand command) : processes_(processes), command_(std::move(command)) {}

  Answer run(const JobOrder& order, TaskContext& context, Attempt& attempt, const StopToken& stop) {
    lines_->belong_to(&attempt);
    auto answer = converse(order, context, attempt, stop);
    lines_->belong_to(nullptr);
    return answer;
  }

  void kill() {
    const std::lock_guard hold(mutex_);
    if (process_) process_->kill(SIGKILL);
  }

 private:
  Answer converse(const JobOrder& order, TaskContext& context, Attempt& attempt, const StopToken& stop) {
    if (auto started = start(); !started) return tl::unexpected(NotMade{.error = started.error()});
    // One whose input is closed is gone, and so is the end of its output.
    (void)process_->write_line(Json{{"do", worker_words::run}, {"order", to_json(order)}}.dump());
    Conversation conversation(order, context);
    bool told_stop = false;
    while (const auto line = process_->read_line()) {
      try {
        if (auto answer = conversation.hear(*line)) return *answer;
      } catch (const std::exception& error) {
        return gone(attempt, fmt::format("told something that is not understood ({})", error.what()));
      }
      if (!told_stop && (attempt.overdue() || stop.requested()))
        told_stop = process_->write_line(Json{{"do", worker_words::stop}}.dump());
    }
    return gone(attempt, {});
  }

  Expected<void> start() {
    const std::lock_guard hold(mutex_);
    if (process_) return {};
    auto started = processes_.start(
        {.arguments = command_.arguments, .folder = {}, .on_error_line = [lines = lines_](std::string line) {
           lines->on(std::move(line));
         }});
    if (!started) return tl::unexpected(started.error());
    process_ = std::move(*started);
    return {};
  }

  Answer gone(Attempt& attempt, std::string what) {
    std::unique_ptr<Process> process;
    {
      const std::lock_guard hold(mutex_);
      process = std::move(process_);
    }
    if (!what.empty()) process->kill(SIGKILL);
    const ProcessEnd end = process->wait();
    if (what.empty()) what = end.text();
    if (const auto silent = attempt.hung_after(); silent.count() > 0)
      what += fmt::format(" after {} s without a sign of life", silent.count());
    if (const auto last = lines_->last(); !last.empty()) what += "; its last words: " + last;
    return tl::unexpected(NotMade{
        .error = {ErrorKind::fault, fmt::format("the worker of {} {}", command_.device, what)}, .crashed = true});
  }

  Processes& processes_;
  WorkerCommand command_;
  std::mutex mutex_;  // for process_, which another thread may kill
  std::shared_ptr<ErrorLines> lines_ = std::make_shared<ErrorLines>();
  std::unique_ptr<Process> process_;
};

class ProcessWorkers final : public Workers {
 public:
  ProcessWorkers(Processes& processes, std::vector<WorkerCommand> commands) {
    for (auto& command : commands) workers_.push_back(std::make_unique<Worker>(processes, std::move(command)));
  }
  Answer run(std::size_t device, const JobOrder& order, TaskContext& context, Attempt& attempt,
             const StopToken& stop) override {
    return workers_[device]->run(order, context, attempt, stop);
  }
  void kill(std::size_t device) override { workers_[device]->kill(); }

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

std::unique_ptr<Workers> make_process_workers(Processes& processes, std::vector<WorkerCommand> commands) {
  return std::make_unique<ProcessWorkers>(processes, std::move(commands));
}

}  // namespace atelier
