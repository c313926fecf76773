#include "training/micro_batch.h"

#include <fmt/format.h>

#include <algorithm>

namespace atelier {

std::int64_t micro_batch_that_fits(std::int64_t wanted, std::int64_t rows, Context& context) {
  const int times = context.times_out_of_memory();
  if (times == 0) return wanted;
  const std::int64_t before = wanted > 0 ? std::min(wanted, rows) : rows;
  const std::int64_t now = times == 1 ? (before + 1) / 2 : 1;
  if (now < before)
    context.warn(
        fmt::format("memory ran out with {} photos in a pass of the model; it was trained with {} in each, which gives "
                    "the same within rounding",
                    before, now));
  return now;
}

}  // namespace atelier
