// plan: why a task is not reused, in words: what differs from the latest run of the same step for the same customer.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "artifact/store.h"
#include "graph/params.h"
#include "plan/changes.h"
#include "plan/plan.h"

namespace atelier {

// ArrivedInputs: what arrives at a task, as StepMemory::inputs holds it: "port", or "port[i]" for a list, to the digest
// in hex. Where a port reads an input of at most kRememberedFiles files, each of them too, as "port/name", so that a
// later plan can say which photo changed. What is not known yet is empty.
inline constexpr std::size_t kRememberedFiles = 256;

// What a source delivers, as far as is known.
using SourceDigest = std::function<std::optional<Digest>(const TaskSource&)>;
ArrivedInputs arrived_inputs(const std::vector<PlanInput>& inputs, const NodeSpec& spec,
                             const std::vector<TaskPort>& ports, const SourceDigest& digest_of_source);

// The in_key params as StepMemory::params holds them.
nlohmann::json remembered_params(const NodeSpec& spec, const Params& params);

// "node version 1 -> 2", "params changed: rank 8 -> 16, steps 60 -> 80", "input changed: photos (b.jpg)", several of
// them joined by "; ". Empty where nothing differs as far as is known. Of the names in brackets: "b.jpg" changed,
// "+b.jpg" is new, "-b.jpg" is gone; at most three.
std::string difference(const NodeSpec& spec, const Params& params, const ArrivedInputs& arrived,
                       const StepMemory& memory);

// "reused: partly, training at step 40 of 60", from a checkpoint's metadata: `step`, and `steps` there or among the
// params.
std::string partial_reuse(const nlohmann::json& checkpoint, const Params& params);

}  // namespace atelier
