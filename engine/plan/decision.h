// plan: what is decided alike when a plan is made and when a waiting task's inputs are there.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "plan/planner.h"
#include "plan/reasons.h"

namespace atelier {

// The record of a key, without its provenance; null where there is none or where it lacks one of the node's ports.
std::shared_ptr<const Record> usable_record(const Ledger& ledger, const NodeSpec& spec, const Digest& key);

// What stands for a step in the ledger's memory of the last run.
struct StepPlace {
  const std::string& batch;  // batch_place()
  std::string customer;      // empty for what the batch shares
  const std::string& step;
};

// Why a task that has no record runs or waits. `key` is empty for one that waits; `waits_for` says for what. Both
// functions are called only where their answer matters: most tasks of a first night are just new.
std::string run_reason(const PlanSeams& seams, const StepPlace& place, const NodeSpec& spec, const Params& params,
                       const std::optional<Digest>& key, const std::function<ArrivedInputs()>& arrived,
                       const std::function<std::string()>& waits_for);

}  // namespace atelier
