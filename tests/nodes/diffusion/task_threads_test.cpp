// Tasks on libtorch's threads, and that there is one OpenMP for both.
#include "diffusion/task_threads.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace atelier::diffusion {
namespace {

class TaskThreads : public testing::Test {
 protected:
  void TearDown() override { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

/// Whether `count` tasks were ever under way at once, each of them waiting for the others.
bool are_under_way_together(int64_t count) {
  std::atomic<int64_t> begun{0}, seen{0};
  for_each_task(count, [&](int64_t) {
    ++begun;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (begun < count && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    if (begun == count) ++seen;
  });
  return seen == count;
}

TEST_F(TaskThreads, CallEveryTaskOnce) {
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    std::vector<std::atomic<int>> calls(100);
    for_each_task(100, [&](int64_t i) { ++calls[static_cast<size_t>(i)]; });
    EXPECT_EQ(std::ranges::count_if(calls, [](const auto& n) { return n == 1; }), 100) << threads << " threads";
  }
  for_each_task(0, [](int64_t) { FAIL(); });
}

TEST_F(TaskThreads, AreAsManyAsLibtorchWasTold) {
  at::set_num_threads(2);
  EXPECT_TRUE(are_under_way_together(2));
  at::set_num_threads(1);
  std::set<std::thread::id> used;
  for_each_task(10, [&](int64_t) { used.insert(std::this_thread::get_id()); });
  EXPECT_THAT(used, testing::ElementsAre(std::this_thread::get_id()));
}

TEST_F(TaskThreads, StartNoMoreThreadsInsideATask) {
  at::set_num_threads(2);
  std::atomic<int> elsewhere{0};
  for_each_task(2, [&](int64_t) {
    const std::thread::id here = std::this_thread::get_id();
    for_each_task(20, [&](int64_t) {
      if (std::this_thread::get_id() != here) ++elsewhere;
    });
  });
  EXPECT_EQ(elsewhere, 0);
}

TEST_F(TaskThreads, PassTheFirstExceptionOn) {
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    EXPECT_THROW(for_each_task(50,
                               [](int64_t i) {
                                 if (i == 7) throw std::out_of_range("seven");
                               }),
                 std::out_of_range);
  }
}

// Where it is not the same one, a libtorch with threads of its own stands beside ours and takes the cores twice.
TEST_F(TaskThreads, AreOfTheOpenMpThatLibtorchRunsOn) {
  for (const int threads : {3, 2}) {
    at::set_num_threads(threads);
    EXPECT_EQ(omp_get_max_threads(), threads);
  }
  omp_set_num_threads(4);
  EXPECT_EQ(at::get_num_threads(), 4);
}

TEST_F(TaskThreads, BelongToTheOnlyOpenMpOfTheProcess) {
  at::set_num_threads(2);
  for_each_task(2, [](int64_t) {});
  static const std::regex openmp(R"((/.*/lib(g|i)?omp[^/]*\.so[^/]*)$)");
  std::set<std::string> loaded;
  std::ifstream maps("/proc/self/maps");
  std::smatch match;
  for (std::string line; std::getline(maps, line);)
    if (std::regex_search(line, match, openmp)) loaded.insert(match[1]);
  EXPECT_THAT(loaded, testing::SizeIs(1));
}

TEST_F(TaskThreads, AreAsManyAsTheCoresUnlessTheEnvironmentSaysHowMany) {
  const char* given = std::getenv("OMP_NUM_THREADS");
  const std::string before = given == nullptr ? "" : given;
  at::set_num_threads(omp_get_num_procs() + 1);
  setenv("OMP_NUM_THREADS", "1", 1);
  use_all_cores();
  EXPECT_EQ(at::get_num_threads(), omp_get_num_procs() + 1) << "what is given stays";
  unsetenv("OMP_NUM_THREADS");
  use_all_cores();
  EXPECT_EQ(at::get_num_threads(), omp_get_num_procs());
  if (given != nullptr) setenv("OMP_NUM_THREADS", before.c_str(), 1);
}

}  // namespace
}  // namespace atelier::diffusion
