// plan: what a task will need to run, as its node says, from what the plan knows of its inputs.
#pragma once
#include "graph/node.h"
#include "plan/plan.h"

namespace atelier {

// A short guess for an output. Reads what the node reads of the inputs' files, at most their headers.
Needs needs_of(const Plan& plan, const Batch& batch, const Task& task);

}  // namespace atelier
