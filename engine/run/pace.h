// run: how fast something goes of late: a training is faster once its neighbour has ended, so what it made since its
// start says little.
#pragma once
#include <deque>
#include <optional>

namespace atelier {

class Pace {
 public:
  // At that time so much was done, in any unit; neither goes back.
  void at(double time_s, double done);

  // Units a second over about the last minute, or over the last tenth of a longer time; empty where nothing went on.
  std::optional<double> per_s() const;
  double last_s() const { return samples_.empty() ? 0 : samples_.back().time_s; }
  double last_done() const { return samples_.empty() ? 0 : samples_.back().done; }
  double first_done() const { return first_.done; }

 private:
  struct Sample {
    double time_s = 0, done = 0;
  };
  Sample first_;
  std::deque<Sample> samples_;
};

}  // namespace atelier
