// plan: from a batch to its plan, and from a waiting task to its decision. Planning reads the ledger (records, memories
// of the last run), the names of content, and the inputs' files; it opens no content and changes nothing.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "artifact/port_type.h"
#include "artifact/store.h"
#include "base/files.h"
#include "base/real_path.h"
#include "plan/plan.h"

namespace atelier {

// What planning looks at. The caller refreshes the ledger before.
struct PlanSeams {
  const Ledger& ledger;
  Store& store;
  Files& files;       // outputs on disk
  FileDigest digest;  // of files: remembered_digests() in file_digests.h
  RealPath real_path = posix_real_path;
};

struct PlanOptions {
  std::filesystem::path out;      // --out, absolute
  std::vector<std::string> only;  // --only: ids; empty: all customers
  // For another wave: keys (or recipes, where no key was known) that failed in an earlier wave of this run, with the
  // reason. Their tasks and all that depends on them are planned as `skip`.
  std::unordered_map<Digest, std::string> failed;
};

// The plan of a batch. One task per key or recipe across steps and customers. An input that cannot be opened makes its
// readers `skip`, nobody else's. Error: `only` names a customer that the batch does not have.
//
// Content: every task that runs or waits finds its inputs' content when it starts, as far as can be known now: a reused
// task whose content was dropped is planned as `run`, "content needed by X". Content of a recipe is never stored: a
// task that reads it needs its inputs' content instead, and whoever opens it runs the recipe's node again, in place
// (that is no run of the task).
//
// Another wave, when an input turned out to be lost: refresh the ledger, Store::has() of what did not verify is false,
// call make_plan() again with the same batch and with `failed`. What has finished is reused, what was lost runs again.
Expected<Plan> make_plan(const Batch& batch, const PlanOptions& options, const PlanSeams& seams);

// The record of a task that ended well (ran or was reused); null before that and for outputs.
using FinishedRecord = std::function<const Record*(TaskId)>;

// What a task does, decided when all its dependencies have ended well. For every task, not only those that wait: where
// a dependency that ran again came out different, the key is a new one.
struct Resolution {
  Action action = Action::run;  // run or reuse
  Digest key;                   // of an output: the digest of what is written
  std::string reason;           // as Task::reason
  // Where it is reused; also where it runs again for its content.
  std::shared_ptr<const Record> record;
  // Where it runs: the tasks whose content it reads, directly or through a recipe, and that the store has not. Not
  // empty: the task ends as `input_lost`, and the next wave makes them again.
  std::vector<TaskId> missing;
};

// Pure but for what it reads through the seams; safe to call from several threads at once. A task that the plan already
// found to be `run` for its content stays `run`; one computation per key is the caller's (two tasks may resolve to one
// key: the second finds the first's record when it resolves after it). `out` as in PlanOptions. Fault: a dependency has
// no record, or the plan skips the task.
Resolution resolve(const Plan& plan, const Batch& batch, const std::filesystem::path& out, TaskId id,
                   const FinishedRecord& finished, const PlanSeams& seams);

// Digest of what one source of a port delivers, given the finished records. Fault where it is not known.
Digest source_digest(const Plan& plan, const TaskSource& source, const FinishedRecord& finished);

}  // namespace atelier
