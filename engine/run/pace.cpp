#include "run/pace.h"

#include <algorithm>

namespace atelier {
namespace {

constexpr double least_window_s = 60;
constexpr double window_part = 0.1;  // of the time so far: what is slow, as a validation now and then, evens out
constexpr double kept_samples = 64;  // in a window
constexpr std::size_t least_samples = 3;

}  // namespace

void Pace::at(double time_s, double done) {
  if (samples_.empty()) first_ = {time_s, done};
  const double window_s = std::max(least_window_s, window_part * (time_s - first_.time_s));
  const auto size = samples_.size();
  if (size >= least_samples && samples_[size - 1].time_s - samples_[size - 2].time_s < window_s / kept_samples)
    samples_.back() = {time_s, done};
  else
    samples_.push_back({time_s, done});
  while (samples_.size() > least_samples && samples_[1].time_s < time_s - window_s) samples_.pop_front();
}

std::optional<double> Pace::per_s() const {
  if (samples_.size() < 2) return std::nullopt;
  const double seconds = samples_.back().time_s - samples_.front().time_s;
  const double done = samples_.back().done - samples_.front().done;
  return seconds > 0 && done > 0 ? std::optional(done / seconds) : std::nullopt;
}

}  // namespace atelier
