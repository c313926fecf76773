// `kill -9` again and again, at random moments, of nights of the real program. tests/kills/run says how many, and from
// which seed.
#include <gtest/gtest.h>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>

#include "tiny_night.h"

namespace atelier::test {
namespace {

using std::chrono::milliseconds;

// Runs that are killed until one comes to its end, which has to be that of an undisturbed one; then a night anew.
class KilledNights {
 public:
  explicit KilledNights(unsigned seed) : random_(seed) {
    const auto start = std::chrono::steady_clock::now();
    if (const auto calm = night_.run({}, "calm", "calm-cache"); calm.exit_code != 0)
      throw std::runtime_error("the undisturbed night: " + calm.err);
    calm_ = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
    calm_outputs_ = outputs_of(night_.out("calm"));
  }

  void kill(int times) {
    while (kills_ < times && !::testing::Test::HasFailure())
      if (const auto ended = killed()) compare(*ended);
    if (!::testing::Test::HasFailure()) compare(night_.run({}, out(), cache()));
  }
  int nights() const { return nights_; }

 private:
  std::string out() const { return "out" + std::to_string(nights_); }
  std::string cache() const { return "cache" + std::to_string(nights_); }

  // How the run ended where it came to its end before it was killed.
  std::optional<Finished> killed() {
    Process process(night_.arguments("run", {}, out(), cache()));
    const std::uniform_int_distribution<long>::param_type moments(0, calm_.count() / 4);
    std::this_thread::sleep_for(milliseconds(std::uniform_int_distribution<long>()(random_, moments)));
    process.signal(SIGKILL);
    auto ended = process.wait();
    if (ended.exit_code != -SIGKILL) return ended;
    ++kills_;
    return {};
  }

  void compare(const Finished& run) {
    SCOPED_TRACE("after " + std::to_string(kills_) + " kills, in night " + std::to_string(nights_ + 1));
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
    EXPECT_EQ(outputs_of(night_.out(out())), calm_outputs_);
    EXPECT_EQ(finished_twice(night_.events(out())), std::vector<std::string>{});
    const auto verified = atelier({"cache", "verify", "--cache", (night_.folder() / cache()).string()});
    EXPECT_EQ(verified.exit_code, 0) << verified.out;
    ++nights_;
  }

  const TinyNight night_;
  std::mt19937 random_;
  milliseconds calm_{};
  std::map<std::string, std::string> calm_outputs_;
  int kills_ = 0, nights_ = 0;
};

long number_in(const char* variable, long otherwise) {
  const char* const text = std::getenv(variable);
  return text ? std::strtol(text, nullptr, 10) : otherwise;
}

void kill_nights(int times) {
  const auto seed = static_cast<unsigned>(number_in("ATELIER_KILLS_SEED", 20));
  KilledNights nights(seed);
  nights.kill(times);
  std::printf("%d kills from seed %u, %d nights brought to their end\n", times, seed, nights.nights());
}

TEST(EndToEndKills, TwentyKillsLeaveTheBitsOfAnUndisturbedRun) { kill_nights(20); }

TEST(LongKills, TwoHundredKillsLeaveTheBitsOfAnUndisturbedRun) {
  kill_nights(static_cast<int>(number_in("ATELIER_KILLS", 200)));
}

}  // namespace
}  // namespace atelier::test
