// run: which failures are tried again, and when. Pure.
#pragma once
#include <chrono>
#include <optional>

#include "base/error.h"

namespace atelier {

struct Retry {
  std::chrono::milliseconds delay{0};
  bool alone = false;  // with nothing else beside it
};

// What follows the failure of the `attempt`-th try (1-based); empty: the failure stands. What is transient is tried
// again up to `retries` times after 1 s, 4 s, 16 s …; what lost the process that it ran in, once.
std::optional<Retry> retry_after(ErrorKind kind, int attempt, int retries, bool crashed = false);

// What follows when a task has run out of memory for the `time`-th time (1-based): it is tried again with less
// (Context::times_out_of_memory), then with less still and alone; then the failure stands.
std::optional<Retry> retry_without_memory(int time);

// How long to wait before a key that is held elsewhere is looked at again for the `look`-th time (1-based): 50 ms,
// doubled up to 2 s.
std::chrono::milliseconds claim_delay(int look);

}  // namespace atelier
