#include "plan/memory.h"

#include "plan/reasons.h"

namespace atelier {
namespace {

StepMemory memory_of(const Plan& plan, const Batch& batch, TaskId id, const Record& record,
                     const FinishedRecord& finished) {
  const Task& task = plan.task(id);
  const NodeSpec& spec = *spec_of(plan, batch, id);
  const auto digest = [&](const TaskSource& source) { return std::optional(source_digest(plan, source, finished)); };
  return {record.key, spec.version, remembered_params(spec, *task.params),
          arrived_inputs(plan.inputs, spec, task.inputs, digest)};
}

// Memories of the steps of one row, or of those that `only` stands for. A customer that shares the batch's task has
// none of their own for it.
void add_row(const Plan& plan, const Batch& batch, std::size_t row, TaskId only, const FinishedRecord& finished,
             StepMemories& all) {
  const std::size_t shared = shared_row(batch);
  for (std::size_t step = 0; step < batch.pipeline.steps.size(); ++step) {
    const TaskId id = task_of(plan, batch, row, step);
    if (id == kNoTask || (only != kNoTask && id != only)) continue;
    if (row != shared && id == task_of(plan, batch, shared, step)) continue;
    const Record* record = finished(id);
    if (!record) continue;
    all.emplace_back(row == shared ? "" : batch.customers[row].id, batch.pipeline.steps[step].name,
                     memory_of(plan, batch, id, *record, finished));
  }
}

}  // namespace

std::string batch_place(const Batch& batch) { return sha256(batch.file.lexically_normal().string()).hex(); }

std::vector<std::string> owners_of(const Plan& plan, const Batch& batch, TaskId id) {
  const Task& task = plan.task(id);
  const std::string place = batch_place(batch);
  std::vector<std::string> owners;
  if (task.for_batch) owners.emplace_back();
  for (const auto customer : task.customers) owners.push_back(batch.customers[customer].id + "@" + place);
  return owners;
}

StepMemories memories_of(const Plan& plan, const Batch& batch, const FinishedRecord& finished) {
  StepMemories all;
  for (std::size_t row = 0; row <= shared_row(batch); ++row) add_row(plan, batch, row, kNoTask, finished, all);
  return all;
}

StepMemories memories_of(const Plan& plan, const Batch& batch, TaskId id, const FinishedRecord& finished) {
  StepMemories all;
  const Task& task = plan.task(id);
  if (task.is_output) return all;
  for (const auto customer : task.customers) add_row(plan, batch, customer, id, finished, all);
  if (task.for_batch) add_row(plan, batch, shared_row(batch), id, finished, all);
  return all;
}

}  // namespace atelier
