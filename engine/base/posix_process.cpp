#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/process.h"

extern char** environ;

namespace atelier {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    close();
    number_ = std::exchange(other.number_, -1);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }
  int number() const { return number_; }

 private:
  int number_;
};

struct Pair {
  Descriptor ours, theirs;
};

std::optional<Pair> pipe_to_us() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  return Pair{Descriptor(ends[0]), Descriptor(ends[1])};
}

// A socket: writing to one whose reader is gone is an error, not a signal.
std::optional<Pair> socket_from_us() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
  ::shutdown(ends[0], SHUT_RD);
  return Pair{Descriptor(ends[0]), Descriptor(ends[1])};
}

// Takes lines out of a descriptor.
class LineReader {
 public:
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}

  std::optional<std::string> next() {
    for (;;) {
      if (const auto end = buffer_.find('\n', searched_); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        searched_ = 0;
        return line;
      }
      searched_ = buffer_.size();
      std::array<char, 1 << 14> chunk{};
      const auto read = ::read(descriptor_, chunk.data(), chunk.size());
      if (read < 0 && errno == EINTR) continue;
      if (read <= 0) return last();
      buffer_.append(chunk.data(), static_cast<std::size_t>(read));
    }
  }

 private:
  std::optional<std::string> last() {
    searched_ = 0;
    if (buffer_.empty()) return {};
    return std::exchange(buffer_, {});
  }

  int descriptor_;
  std::string buffer_;
  std::size_t searched_ = 0;
};

class PosixProcess final : public Process {
 public:
  PosixProcess(pid_t id, Descriptor input, Descriptor output, Descriptor errors,
               std::function<void(std::string)> on_error_line)
      : id_(id),
        input_(std::move(input)),
        output_(std::move(output)),
        errors_(std::move(errors)),
        reader_(output_.number()) {
    error_reader_ = std::thread([this, on_line = std::move(on_error_line)] {
      LineReader lines(errors_.number());
      while (auto line = lines.next())
        if (on_line) on_line(std::move(*line));
    });
  }
  ~PosixProcess() override {
    kill(SIGKILL);
    PosixProcess::wait();
  }

  bool write_line(std::string_view line) override {
    const std::string text = std::string(line) + '\n';
    const std::lock_guard hold(input_mutex_);
    for (std::size_t done = 0; done < text.size();) {
      const auto sent = ::send(input_.number(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return false;
      done += static_cast<std::size_t>(sent);
    }
    return true;
  }

  void close_input() override {
    const std::lock_guard hold(input_mutex_);
    input_.close();
  }

  std::optional<std::string> read_line() override { return reader_.next(); }

  // The group is signalled as long as its leader has not been waited for: until then its number is nobody else's.
  void kill(int signal) override {
    const std::lock_guard hold(end_mutex_);
    if (!ended_) ::kill(-id_, signal);
  }

  ProcessEnd wait() override {
    siginfo_t info{};
    while (!ended_ && ::waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    {
      const std::lock_guard hold(end_mutex_);
      if (ended_) return *ended_;
      ::kill(-id_, SIGKILL);  // what it left behind, which may hold its outputs open
      int status = 0;
      while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
      }
      ended_ = WIFSIGNALED(status) ? ProcessEnd{.exit_code = 0, .signal = WTERMSIG(status)}
                                   : ProcessEnd{.exit_code = WEXITSTATUS(status), .signal = 0};
    }
    if (error_reader_.joinable()) error_reader_.join();
    return *ended_;
  }

 private:
  pid_t id_;
  std::mutex input_mutex_, end_mutex_;
  Descriptor input_, output_, errors_;
  LineReader reader_;
  std::thread error_reader_;
  std::optional<ProcessEnd> ended_;
};

// The child's signals are as a shell would leave them, whatever this process ignores or blocks.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() { posix_spawnattr_destroy(&attributes_); }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

class SpawnActions {
 public:
  SpawnActions() { posix_spawn_file_actions_init(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }
  void connect(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  void enter(const std::filesystem::path& folder) { posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str()); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class PosixProcesses final : public Processes {
 public:
  Expected<std::unique_ptr<Process>> start(const ProcessCommand& command) override {
    auto input = socket_from_us();
    auto output = pipe_to_us(), errors = pipe_to_us();
    if (!input || !output || !errors) return refused(command, errno);
    SpawnActions actions;
    actions.connect(input->theirs.number(), STDIN_FILENO);
    actions.connect(output->theirs.number(), STDOUT_FILENO);
    actions.connect(errors->theirs.number(), STDERR_FILENO);
    if (!command.folder.empty()) actions.enter(command.folder);
    std::vector<char*> arguments;
    for (const auto& argument : command.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    pid_t id = 0;
    const SpawnAttributes attributes;
    const int error =
        ::posix_spawnp(&id, arguments.front(), actions.get(), attributes.get(), arguments.data(), environ);
    if (error != 0) return refused(command, error);
    return std::make_unique<PosixProcess>(id, std::move(input->ours), std::move(output->ours), std::move(errors->ours),
                                          command.on_error_line);
  }

 private:
  static tl::unexpected<Error> refused(const ProcessCommand& command, int error) {
    const bool may_pass = error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
    return failure(fmt::format("{}: cannot be started: {}", command.arguments.front(), std::strerror(error)),
                   may_pass ? ErrorKind::transient : ErrorKind::input);
  }
};

}  // namespace

std::string ProcessEnd::text() const {
  if (signal == 0) return fmt::format("ended with exit code {}", exit_code);
  return fmt::format("was killed by signal {} ({})", signal, ::strsignal(signal));
}

std::unique_ptr<Processes> make_posix_processes() { return std::make_unique<PosixProcesses>(); }

}  // namespace atelier
