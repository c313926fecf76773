// plan: which stored content a task reads, and which dropped content must be made again before it can.
#pragma once
#include <vector>

#include "plan/plan.h"

namespace atelier {

// The tasks whose stored content `id` reads when it runs: those that feed it and, in place of a recipe, whose content
// is never stored, those that feed the recipe.
std::vector<TaskId> content_sources(const Plan& plan, const Batch& batch, TaskId id);

// Makes every reused task `run` whose content is gone while a task that runs or waits reads it; reason "content needed
// by X", X the reader's step. Last tasks first, so that what must run again finds its own inputs' content too.
void require_content(Plan& plan, const Batch& batch, const Store& store);

}  // namespace atelier
