#include "exec/run_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>

#include <algorithm>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "graph/task_log.h"

namespace atelier {
namespace {

constexpr std::chrono::milliseconds between_looks{100};  // at whether the task is to stop
constexpr std::size_t most_last_lines = 3, most_line_length = 500;

// For a log and a message: of a bearable length, and nothing that a terminal would obey.
std::string shown(std::string line) {
  const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(line[at]) & 0xC0U) == 0x80U; };
  if (line.size() > most_line_length) {
    std::size_t end = most_line_length;
    while (end > 0 && continues(end)) --end;
    line = line.substr(0, end) + "…";
  }
  const auto is_control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; };
  std::ranges::replace_if(line, is_control, '?');
  return line;
}

// What a command says, from whatever thread.
class Words {
 public:
  explicit Words(Context& context) : context_(context) {}

  void hear(std::string line) {
    line = shown(std::move(line));
    const std::lock_guard hold(mutex_);
    log_to(context_, line);
    if (line.find_first_not_of(" \t?") == std::string::npos) return;
    last_.push_back(std::move(line));
    if (last_.size() > most_last_lines) last_.pop_front();
  }
  std::string last() const {
    const std::lock_guard hold(mutex_);
    return fmt::format("{}", fmt::join(last_, " / "));
  }

 private:
  Context& context_;
  mutable std::mutex mutex_;
  std::deque<std::string> last_;
};

// Whether the command had to be asked to end. True once `end` is there.
bool asked_to_end(const std::future<ProcessEnd>& end, Process& process, const Context& context,
                  std::chrono::milliseconds grace) {
  while (end.wait_for(between_looks) != std::future_status::ready) {
    if (!context.stop_requested()) continue;
    process.kill(SIGTERM);
    if (end.wait_for(grace) != std::future_status::ready) process.kill(SIGKILL);
    end.wait();
    return true;
  }
  return false;
}

}  // namespace

Expected<CommandEnd> run_command(Processes& processes, ProcessCommand command, Context& context,
                                 std::chrono::milliseconds grace) {
  Words words(context);
  command.on_error_line = [&words](std::string line) { words.hear(std::move(line)); };
  auto started = processes.start(command);
  if (!started) return tl::unexpected(started.error());
  Process& process = **started;
  process.close_input();
  std::jthread reader([&] {
    while (auto line = process.read_line()) words.hear(std::move(*line));
  });
  auto end = std::async(std::launch::async, [&] { return process.wait(); });
  const bool stopped = asked_to_end(end, process, context, grace);
  reader.join();
  return CommandEnd{end.get(), stopped, words.last()};
}

}  // namespace atelier
