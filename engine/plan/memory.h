// plan: what a run leaves in the ledger for the next plan: owners of keys, and what each step did, to say later why it
// runs again.
#pragma once
#include <string>
#include <tuple>
#include <vector>

#include "artifact/store.h"
#include "plan/planner.h"

namespace atelier {

// The batch as Ledger::last_step and remember_steps name it: a digest of the batch file's absolute path.
std::string batch_place(const Batch& batch);

// For Ledger::commit and add_owners: "anna@PLACE" for each customer of the task, an empty one for what the batch
// shares.
std::vector<std::string> owners_of(const Plan& plan, const Batch& batch, TaskId id);

// (customer, step, memory), as Ledger::remember_steps takes them; the customer is empty for shared steps.
using StepMemories = std::vector<std::tuple<std::string, std::string, StepMemory>>;

// What is to be remembered of the tasks that ended well (those for which `finished` has a record): one entry for every
// step of every customer that a task stands for. Left out is what `ledger` remembers already; steps that did not end
// well keep the memory of the run before.
StepMemories memories_of(const Plan& plan, const Batch& batch, const FinishedRecord& finished, const Ledger& ledger);

}  // namespace atelier
