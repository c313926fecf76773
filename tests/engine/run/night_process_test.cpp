// Nights as processes of their own, killed and side by side.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <sstream>

#include "disk_studio.h"
#include "support/temporary_folder.h"

extern char** environ;

namespace atelier {
namespace {

namespace fs = std::filesystem;

pid_t start_night(const fs::path& folder, std::string out) {
  std::string program = ATELIER_NIGHT_PROCESS, where = folder.string();
  char* arguments[] = {program.data(), where.data(), out.data(), nullptr};
  pid_t pid = 0;
  if (::posix_spawn(&pid, program.c_str(), nullptr, nullptr, arguments, environ) != 0)
    throw std::runtime_error("a night cannot be started");
  return pid;
}

int exit_code_of(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// How often each key was computed, by the event logs of all runs into `out`. A log that was cut off ends in half a
// line.
std::map<std::string, int> computed(const fs::path& out) {
  std::map<std::string, int> times;
  if (!fs::exists(out / "runs")) return times;
  for (const auto& entry : fs::recursive_directory_iterator(out / "runs")) {
    if (entry.path().filename() != "events.jsonl") continue;
    std::istringstream lines(read_text(*make_posix_files(), entry.path()).value_or(""));
    for (std::string line; std::getline(lines, line);) {
      const auto event = nlohmann::json::parse(line, nullptr, false);
      if (!event.is_discarded() && event.at("event") == "task_finished") ++times[event.at("key").get<std::string>()];
    }
  }
  return times;
}

TEST(NightProcess, ComesToTheSameOutputsHoweverOftenItIsKilled) {
  const TemporaryFolder undisturbed, disturbed;
  ASSERT_EQ(exit_code_of(start_night(undisturbed.path(), "out")), 0);
  std::mt19937 random(7);
  for (int kill = 0; kill < 12; ++kill) {
    const pid_t pid = start_night(disturbed.path(), "out");
    ::usleep(std::uniform_int_distribution<useconds_t>(0, 120'000)(random));
    ::kill(pid, SIGKILL);
    exit_code_of(pid);
  }
  ASSERT_EQ(exit_code_of(start_night(disturbed.path(), "out")), 0);
  EXPECT_EQ(DiskStudio(disturbed.path()).outputs(), DiskStudio(undisturbed.path()).outputs());
  for (const auto& [key, times] : computed(disturbed.path() / "out")) EXPECT_EQ(times, 1) << key << " had finished";
}

TEST(NightProcess, SharesACacheWithAnotherAtTheSameTime) {
  const TemporaryFolder folder;
  const pid_t one = start_night(folder.path(), "one"), two = start_night(folder.path(), "two");
  EXPECT_EQ(exit_code_of(one), 0);
  EXPECT_EQ(exit_code_of(two), 0);
  EXPECT_EQ(DiskStudio(folder.path(), "one").outputs(), DiskStudio(folder.path(), "two").outputs());
  auto times = computed(folder.path() / "one");
  for (const auto& [key, n] : computed(folder.path() / "two")) times[key] += n;
  EXPECT_GE(times.size(), 15U);
  std::size_t trained_twice = 0;
  for (const auto& [key, n] : times) trained_twice += n > 1 ? 1 : 0;
  EXPECT_EQ(trained_twice, 0U);
}

}  // namespace
}  // namespace atelier
