// Device tasks in worker processes, by the real program.
#include <gtest/gtest.h>
#include <csignal>
#include <fstream>
#include <thread>

#include "tiny_night.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;

// The processes that `parent` started and that still run.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    pid_t id = 0, above = 0;
    std::string name, state;
    if (file >> id >> name >> state >> above && above == parent && state != "Z") children.push_back(id);
  }
  return children;
}

template <class Condition>
bool wait_for(const Condition& condition) {
  for (int i = 0; i < 3000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

bool trains(const TinyNight& night) {
  if (!fs::exists(night.out() / "runs")) return false;
  for (const auto& event : night.events())
    if (event["event"] == "task_metric") return true;
  return false;
}

TEST(EndToEndIsolate, GivesTheBitsOfARunWithoutWorkers) {
  const TinyNight night;
  const auto here = night.run({"--no-isolate"}, "here", "here-cache");
  ASSERT_EQ(here.exit_code, 0) << here.err;
  const auto isolated = night.run({"--isolate", "--devices", "cpu:0,cpu:1"});
  EXPECT_EQ(isolated.exit_code, 0) << isolated.out << isolated.err;
  EXPECT_EQ(outputs_of(night.out()), outputs_of(night.out("here")));
}

TEST(EndToEndIsolate, SurvivesTheDeathOfAWorkerAndDiesWithItsWorkers) {
  const TinyNight night;
  ASSERT_EQ(night.run({"--no-isolate"}, "here", "here-cache").exit_code, 0);
  {
    Process cut_off(night.arguments("run", {"--isolate"}));
    ASSERT_TRUE(wait_for([&] { return trains(night); }));
    const auto workers = children_of(cut_off.id());
    ASSERT_EQ(workers.size(), 1U);
    ::kill(workers[0], SIGKILL);
    ASSERT_TRUE(wait_for([&] {
      const auto now = children_of(cut_off.id());
      return now.size() == 1 && now != workers;
    })) << "a fresh worker takes its place";
    const auto fresh = children_of(cut_off.id());
    EXPECT_TRUE(wait_for([&] { return tasks_of(night.events(), "task_retried").size() == 1; }));
    cut_off.signal(SIGKILL);
    cut_off.wait();
    EXPECT_TRUE(wait_for([&] { return ::kill(fresh[0], 0) != 0; })) << "a worker ends with its run";
  }
  const auto last = night.run({"--isolate"});
  EXPECT_EQ(last.exit_code, 0) << last.out << last.err;
  EXPECT_EQ(outputs_of(night.out()), outputs_of(night.out("here")));
}

}  // namespace
}  // namespace atelier::test
