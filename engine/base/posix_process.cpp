#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
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

// An end that is told once, to whoever polls it.
class EndSignal {
 public:
  EndSignal() : event_(::eventfd(0, EFD_CLOEXEC)) {}
  void tell() const {
    const std::uint64_t one = 1;
    (void)!::write(event_.number(), &one, sizeof one);
  }
  int number() const { return event_.number(); }

 private:
  Descriptor event_;
};

// Takes lines out of a descriptor. Once `end` is told, what is there already is still read and no more waited for.
class LineReader {
 public:
  LineReader(int descriptor, int end) : descriptor_(descriptor), end_(end) {}

  std::optional<std::string> next() {
    for (;;) {
      if (const auto at = buffer_.find('\n', searched_); at != std::string::npos) return taken(at, 1);
      if (buffer_.size() >= most_line_bytes) return taken(most_line_bytes, 0);
      searched_ = buffer_.size();
      if (!read_more()) return last();
    }
  }

 private:
  // The first bytes of the buffer, and what parts them from the rest is dropped.
  std::string taken(std::size_t length, std::size_t dropped) {
    std::string line = buffer_.substr(0, length);
    buffer_.erase(0, length + dropped);
    searched_ = 0;
    return line;
  }

  bool read_more() {
    if (!may_read()) return false;
    std::array<char, 1 << 14> chunk{};
    const auto read = ::read(descriptor_, chunk.data(), chunk.size());
    if (read < 0 && errno == EINTR) return true;
    if (read <= 0) return false;
    buffer_.append(chunk.data(), static_cast<std::size_t>(read));
    return true;
  }

  // Waits for more. False where the end was told and nothing, or all that a pipe can hold, was read since.
  bool may_read() {
    constexpr int most_reads_after_end = 64;  // of 16 KiB: the most that an ordinary user's pipe holds
    std::array<pollfd, 2> ends{pollfd{descriptor_, POLLIN, 0}, pollfd{end_, POLLIN, 0}};
    while (::poll(ends.data(), ends.size(), -1) < 0 && errno == EINTR) {
    }
    if (ends[1].revents == 0) return true;
    return ends[0].revents != 0 && reads_after_end_++ < most_reads_after_end;
  }

  std::optional<std::string> last() {
    searched_ = 0;
    if (buffer_.empty()) return {};
    return std::exchange(buffer_, {});
  }

  int descriptor_, end_;
  std::string buffer_;
  std::size_t searched_ = 0;
  int reads_after_end_ = 0;
};

class PosixProcess final : public Process {
 public:
  PosixProcess(pid_t id, Descriptor input, Descriptor output, Descriptor errors,
               std::function<void(std::string)> on_error_line)
      : id_(id),
        input_(std::move(input)),
        output_(std::move(output)),
        errors_(std::move(errors)),
        reader_(output_.number(), end_signal_.number()) {
    error_reader_ = std::thread([this, on_line = std::move(on_error_line)] {
      LineReader lines(errors_.number(), end_signal_.number());
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
      ::kill(-id_, SIGKILL);  // what it left behind
      int status = 0;
      while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
      }
      ended_ = WIFSIGNALED(status) ? ProcessEnd{.exit_code = 0, .signal = WTERMSIG(status)}
                                   : ProcessEnd{.exit_code = WEXITSTATUS(status), .signal = 0};
    }
    end_signal_.tell();
    if (error_reader_.joinable()) error_reader_.join();
    return *ended_;
  }

 private:
  pid_t id_;
  std::mutex input_mutex_, end_mutex_;
  Descriptor input_, output_, errors_;
  EndSignal end_signal_;
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

// As exec() takes texts, which must outlive them.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

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
    auto arguments = pointers_to(command.arguments);
    auto environment = command.environment ? pointers_to(*command.environment) : std::vector<char*>{};
    pid_t id = 0;
    const SpawnAttributes attributes;
    const int error = ::posix_spawnp(&id, arguments.front(), actions.get(), attributes.get(), arguments.data(),
                                     command.environment ? environment.data() : environ);
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
