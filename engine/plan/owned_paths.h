// plan: whose the files and folders outside the cache are that a plan reads and writes: what a purge of a customer goes
// by later.
#pragma once
#include <filesystem>
#include <vector>

#include "artifact/owned_path.h"
#include "plan/plan.h"

namespace atelier {

// Inputs and outputs of each customer of the plan, with the run's folder; what belongs to a whole batch is left out.
// `out` and `run_folder` are absolute.
std::vector<OwnedPath> owned_paths_of(const Plan& plan, const Batch& batch, const std::filesystem::path& out,
                                      const std::filesystem::path& run_folder);

}  // namespace atelier
