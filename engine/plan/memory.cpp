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

// The key says all: two memories of one key are equal.
bool is_known(const Ledger& ledger, const std::string& place, const std::string& customer, const std::string& step,
              const Digest& key) {
  const auto memory = ledger.last_step(place, customer, step);
  return memory && memory->key == key;
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

StepMemories memories_of(const Plan& plan, const Batch& batch, const FinishedRecord& finished, const Ledger& ledger) {
  StepMemories all;
  const std::string place = batch_place(batch);
  const std::size_t shared = shared_row(batch);
  for (std::size_t row = 0; row <= shared; ++row) {
    const std::string customer = row == shared ? "" : batch.customers[row].id;
    for (std::size_t i = 0; i < batch.pipeline.steps.size(); ++i) {
      const TaskId id = task_of(plan, batch, row, i);
      const bool is_shared = row != shared && id == task_of(plan, batch, shared, i);  // remembered once, for the batch
      const Record* record = id == kNoTask || is_shared ? nullptr : finished(id);
      const std::string& step = batch.pipeline.steps[i].name;
      if (!record || is_known(ledger, place, customer, step, record->key)) continue;
      all.emplace_back(customer, step, memory_of(plan, batch, id, *record, finished));
    }
  }
  return all;
}

}  // namespace atelier
