#include "base/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <mutex>
#include <thread>

#include "support/temporary_folder.h"

namespace atelier {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Shell {
  std::unique_ptr<Process> start(const std::string& script, const std::filesystem::path& folder = {}) {
    auto started = processes->start(
        {.arguments = {"sh", "-c", script}, .folder = folder, .on_error_line = [this](std::string line) {
           const std::lock_guard hold(mutex);
           errors.push_back(std::move(line));
         }});
    if (!started) throw Fault(started.error().message);
    return std::move(*started);
  }
  static std::vector<std::string> all_lines(Process& process) {
    std::vector<std::string> lines;
    while (auto line = process.read_line()) lines.push_back(std::move(*line));
    return lines;
  }

  std::unique_ptr<Processes> processes = make_posix_processes();
  std::mutex mutex;
  std::vector<std::string> errors;
};

TEST(Process, IsWrittenToAndReadByLines) {
  Shell shell;
  const auto process = shell.start("while read line; do echo \"got $line\"; done; echo end >&2; printf 'no newline'");
  EXPECT_TRUE(process->write_line("one"));
  EXPECT_EQ(process->read_line(), "got one");
  EXPECT_TRUE(process->write_line("two"));
  process->close_input();
  EXPECT_THAT(Shell::all_lines(*process), ElementsAre("got two", "no newline"));
  EXPECT_EQ(process->wait().exit_code, 0);
  EXPECT_THAT(shell.errors, ElementsAre("end"));
}

TEST(Process, TellsHowItEnded) {
  Shell shell;
  const auto failed = shell.start("exit 3");
  EXPECT_TRUE(Shell::all_lines(*failed).empty());
  EXPECT_EQ(failed->wait().text(), "ended with exit code 3");
  const auto killed = shell.start("kill -SEGV $$");
  EXPECT_TRUE(Shell::all_lines(*killed).empty());
  EXPECT_EQ(killed->wait().text(), "was killed by signal 11 (Segmentation fault)");
}

TEST(Process, IsKilledWithAllThatItStarted) {
  Shell shell;
  const auto process = shell.start("sleep 1000 & echo $!; wait");
  const auto child = process->read_line();
  ASSERT_TRUE(child);
  process->kill(SIGTERM);
  EXPECT_TRUE(Shell::all_lines(*process).empty()) << "the output ends, so the child is gone too";
  EXPECT_EQ(process->wait().signal, SIGTERM);
}

TEST(Process, EndsWhatItLeftBehind) {
  Shell shell;
  const auto process = shell.start("sleep 1000 >/dev/null 2>&1 & echo $!");
  const pid_t child = static_cast<pid_t>(std::stol(process->read_line().value_or("0")));
  ASSERT_GT(child, 0);
  process->wait();
  for (int i = 0; i < 200 && ::kill(child, 0) == 0; ++i) usleep(10'000);
  EXPECT_NE(::kill(child, 0), 0);
}

// One that leaves the group is not killed with it, and keeps the output open.
TEST(Process, IsNotReadOnAfterItsEndThoughSomebodyHoldsItsOutput) {
  Shell shell;
  const auto process = shell.start("setsid sh -c 'echo $$; exec sleep 1000' & read go; echo said >&2; printf rest");
  const pid_t child = static_cast<pid_t>(std::stol(process->read_line().value_or("0")));
  ASSERT_GT(child, 0);
  process->write_line("go");
  std::jthread waiter([&] { EXPECT_EQ(process->wait().exit_code, 0); });
  EXPECT_THAT(Shell::all_lines(*process), ElementsAre("rest"));
  waiter.join();
  EXPECT_THAT(shell.errors, ElementsAre("said"));
  EXPECT_EQ(::kill(child, SIGKILL), 0) << "it lived on";
}

TEST(Process, GivesALineWithoutEndInPieces) {
  Shell shell;
  const auto process = shell.start("head -c 20000000 /dev/zero; printf '\\nnext'");
  EXPECT_EQ(process->read_line().value_or("").size(), most_line_bytes);
  EXPECT_EQ(process->read_line().value_or("").size(), 20'000'000 - most_line_bytes);
  EXPECT_EQ(process->read_line(), "next");
}

TEST(Process, HasTheEnvironmentThatItIsGivenAndNoOther) {
  const auto processes = make_posix_processes();
  const auto lines_of = [&](const std::optional<std::vector<std::string>>& environment) {
    const auto process = processes->start({.arguments = {"env"}, .environment = environment});
    return Shell::all_lines(**process);
  };
  EXPECT_THAT(lines_of(std::vector<std::string>{"A=1", "B=two words"}), ElementsAre("A=1", "B=two words"));
  EXPECT_TRUE(lines_of(std::vector<std::string>{}).empty());
  EXPECT_THAT(lines_of(std::nullopt), testing::Contains(testing::StartsWith("PATH=")));
}

TEST(Process, MayBeWrittenToWhenItIsGone) {
  Shell shell;
  const auto process = shell.start("exit 0");
  EXPECT_TRUE(Shell::all_lines(*process).empty());
  process->wait();
  EXPECT_FALSE(process->write_line("hello")) << "and no signal came";
}

TEST(Process, RunsWhereItIsToldTo) {
  Shell shell;
  const TemporaryFolder folder;
  const auto process = shell.start("pwd", folder.path());
  EXPECT_EQ(process->read_line(), std::filesystem::canonical(folder.path()).string());
}

TEST(Process, SaysWhyItDoesNotStart) {
  Shell shell;
  const auto none = shell.processes->start({.arguments = {"no-such-program"}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::input);
  EXPECT_THAT(none.error().message, HasSubstr("no-such-program: cannot be started: No such file or directory"));
}

}  // namespace
}  // namespace atelier
