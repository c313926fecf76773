#include "run/retry.h"

#include <algorithm>

namespace atelier {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds first_delay{1000};
constexpr int delay_factor = 4;
constexpr int most_doublings = 6;  // 4^6 s is over an hour
constexpr milliseconds first_look{50}, longest_look{2000};

}  // namespace

std::optional<Retry> retry_after(ErrorKind kind, int attempt, int retries, bool crashed) {
  if (crashed) return attempt == 1 ? std::optional(Retry{}) : std::nullopt;
  if (kind != ErrorKind::transient || attempt > retries) return {};
  milliseconds delay = first_delay;
  for (int i = 1; i < std::min(attempt, most_doublings); ++i) delay *= delay_factor;
  return Retry{.delay = delay};
}

std::optional<Retry> retry_without_memory(int time) {
  if (time > 2) return {};
  return Retry{.alone = time == 2};
}

milliseconds claim_delay(int look) {
  milliseconds delay = first_look;
  for (int i = 1; i < look && delay < longest_look; ++i) delay *= 2;
  return std::min(delay, longest_look);
}

}  // namespace atelier
