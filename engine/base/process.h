// base: child processes, a seam: workers that run tasks, and commands that a pipeline names.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace atelier {

struct ProcessCommand {
  std::vector<std::string> arguments{};  // the first is the program, looked up in PATH where it has no slash; no shell
  std::filesystem::path folder{};        // where it runs; empty: here
  std::optional<std::vector<std::string>> environment{};  // NAME=VALUE, all that it has; absent: this process's
  // Called with each line of its standard error, from another thread.
  std::function<void(std::string)> on_error_line{};
};

struct ProcessEnd {
  int exit_code = 0;
  int signal = 0;  // 0: it ended by itself

  std::string text() const;  // "ended with exit code 3", "was killed by signal 9 (Killed)"
};

// Longer lines are read in pieces of so many bytes, so that a child that writes no line breaks costs no more memory.
inline constexpr std::size_t most_line_bytes = std::size_t{16} << 20;

// A child in a process group of its own. Its standard input and output are read and written by lines. Destroying it
// kills the group and waits.
class Process {
 public:
  virtual ~Process() = default;
  // False where nobody reads any more.
  virtual bool write_line(std::string_view line) = 0;
  virtual void close_input() = 0;
  // The next line of its output without the newline; empty at the end of the output. Waits.
  virtual std::optional<std::string> read_line() = 0;
  virtual void kill(int signal) = 0;  // the whole group; safe from another thread
  // Until the child itself ends; what it left behind in its group is killed then. Once; another thread may still read:
  // the output ends soon after, whoever else may hold it open.
  virtual ProcessEnd wait() = 0;
};

class Processes {
 public:
  virtual ~Processes() = default;
  // Errors: input where there is no such program or folder, transient where the machine has no room for another
  // process.
  virtual Expected<std::unique_ptr<Process>> start(const ProcessCommand& command) = 0;
};

std::unique_ptr<Processes> make_posix_processes();

}  // namespace atelier
