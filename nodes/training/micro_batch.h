// training: how many photos pass the model at once.
#pragma once
#include <cstdint>

#include "graph/context.h"

namespace atelier {

// What a pass takes of a step's `rows`: `wanted`, or all where that is 0; half of it after the task has run out of
// memory, one after it has again, which is told. Gradients are accumulated, so the result is the same within rounding.
std::int64_t micro_batch_that_fits(std::int64_t wanted, std::int64_t rows, Context& context);

}  // namespace atelier
