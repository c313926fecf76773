#include "process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/digest.h"

namespace atelier::test {
namespace fs = std::filesystem;
namespace {

fs::path temporary_file(const char* kind) {
  std::string name = (fs::temp_directory_path() / (std::string("atelier-test-") + kind + "-XXXXXX")).string();
  const int descriptor = mkstemp(name.data());
  if (descriptor >= 0) close(descriptor);
  return name;
}

void redirect(const fs::path& file, int to) {
  const int descriptor = open(file.c_str(), O_WRONLY | O_TRUNC);
  if (descriptor < 0 || dup2(descriptor, to) < 0) _exit(126);
  close(descriptor);
}

}  // namespace

fs::path atelier_program() { return fs::path(ATELIER_BINARY_DIR) / "cli/atelier"; }

Process::Process(std::vector<std::string> arguments, const fs::path& folder,
                 std::optional<std::uint64_t> most_file_bytes)
    : out_(temporary_file("out")), err_(temporary_file("err")) {
  arguments.insert(arguments.begin(), atelier_program().string());
  std::vector<char*> native;
  for (auto& argument : arguments) native.push_back(argument.data());
  native.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  redirect(out_, STDOUT_FILENO);
  redirect(err_, STDERR_FILENO);
  if (!folder.empty() && chdir(folder.c_str()) != 0) _exit(126);
  if (most_file_bytes) {
    const rlimit limit{*most_file_bytes, *most_file_bytes};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
  }
  execv(native[0], native.data());
  _exit(127);
}

Process::~Process() {
  if (running()) {
    signal(SIGKILL);
    wait();
  }
  std::error_code ignored;
  fs::remove(out_, ignored);
  fs::remove(err_, ignored);
}

void Process::signal(int number) const { kill(pid_, number); }

bool Process::running() {
  if (!reaped_) reaped_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return !reaped_;
}

Finished Process::wait() {
  if (!reaped_) waitpid(pid_, &status_, 0);
  reaped_ = true;
  const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
  return {code, read_file(out_), read_file(err_)};
}

Finished atelier(std::vector<std::string> arguments, const fs::path& folder) {
  return Process(std::move(arguments), folder).wait();
}

std::map<std::string, std::string> outputs_of(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (entry.is_regular_file() && !name.starts_with("runs/") && !name.starts_with("."))
      found[name] = sha256(read_file(entry.path())).hex();
  }
  return found;
}

std::string read_file(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

}  // namespace atelier::test
