// The passes of a training's step side by side on the CPU. A pass that has one thread gives the same bits whoever runs
// beside it, so a step in passes does not depend on the number of threads; and two passes of one thread each take less
// time than two that share two threads in turn.
#pragma once

#include <ATen/core/grad_mode.h>
#include <c10/core/Device.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "diffusion/error.h"
#include "diffusion/task_threads.h"
#include "diffusion/thread_count.h"

namespace atelier::diffusion {

/// pass(0) … pass(count - 1), each a Result, and use(what it gave) in that order, in the calling thread, under the
/// caller's grad mode. Where there is more than one on the CPU, as many run at a time as libtorch has threads, each on
/// one; a single pass has them all. No more than these are kept at a time. The first Error ends it and comes back.
template <class Pass, class Use>
Result<void> in_passes(int64_t count, c10::Device device, const Pass& pass, const Use& use) {
  using Returned = std::invoke_result_t<const Pass&, int64_t>;
  const bool side_by_side = count > 1 && device.is_cpu();
  const int64_t at_a_time = side_by_side ? std::max(1, at::get_num_threads()) : 1;
  const bool records = at::GradMode::is_enabled();
  for (int64_t first = 0; first < count; first += at_a_time) {
    const int64_t now = std::min(at_a_time, count - first);
    std::vector<std::optional<Returned>> made(static_cast<size_t>(now));
    const auto one = [&](int64_t i) {
      // Told to each thread: oneDNN waits for as many as it is told of, and forever inside a parallel region.
      const ThreadCount threads(side_by_side ? 1 : at::get_num_threads());
      const at::AutoGradMode grad_mode(records);
      made[static_cast<size_t>(i)].emplace(pass(first + i));
    };
    for_each_task(now, one);
    for (auto& result : made) {
      if (!*result) return tl::unexpected(std::move(result->error()));
      use(std::move(**result));
    }
  }
  return {};
}

}  // namespace atelier::diffusion
