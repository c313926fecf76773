#include <fmt/format.h>

#include "plan/content.h"
#include "plan/decision.h"
#include "plan/key.h"
#include "plan/memory.h"
#include "plan/output_state.h"
#include "plan/planner.h"

namespace atelier {
namespace {

struct World {
  const Plan& plan;
  const Batch& batch;
  const FinishedRecord& finished;
  const PlanSeams& seams;
};

std::vector<TaskId> missing_content(const World& world, TaskId id) {
  std::vector<TaskId> missing;
  for (const TaskId source : content_sources(world.plan, world.batch, id)) {
    const Record* record = world.finished(source);
    if (!record || !world.seams.store.has(record->key)) missing.push_back(source);
  }
  return missing;
}

std::vector<PortContent> arrived_content(const World& world, const Task& task) {
  std::vector<PortContent> content;
  for (const auto& port : task.inputs) {
    content.push_back({port.name, {}});
    for (const auto& source : port.sources)
      content.back().items.push_back({source_digest(world.plan, source, world.finished), {}});
  }
  return content;
}

Resolution resolve_output(const World& world, const std::filesystem::path& out, const Task& task) {
  Resolution resolution;
  resolution.key = source_digest(world.plan, task.inputs.front().sources.front(), world.finished);
  const auto state = output_state(world.seams.files, world.seams.ledger, output_location(out, task.output_path),
                                  resolution.key, world.seams.digest);
  resolution.reason = name_of(state);
  resolution.action = state == OutputState::up_to_date ? Action::reuse : Action::run;
  if (resolution.action == Action::run) resolution.missing = missing_content(world, task.id);
  return resolution;
}

std::string reason_to_run(const World& world, const Task& task, const Digest& key) {
  const NodeSpec& spec = *spec_of(world.plan, world.batch, task.id);
  const auto digest = [&](const TaskSource& source) {
    return std::optional(source_digest(world.plan, source, world.finished));
  };
  const bool is_shared = task.for_batch || task.customers.empty();
  const std::string customer = is_shared ? "" : world.batch.customers[task.customers.front()].id;
  const auto arrived = [&] { return arrived_inputs(world.plan.inputs, spec, task.inputs, digest); };
  return run_reason(world.seams, {batch_place(world.batch), customer, world.batch.pipeline.steps[task.step].name}, spec,
                    *task.params, key, arrived, [] { return std::string(); });
}

Resolution resolve_step(const World& world, const Task& task) {
  const NodeSpec& spec = *spec_of(world.plan, world.batch, task.id);
  Resolution resolution;
  resolution.key = task_key(spec, *task.params, arrived_content(world, task));
  resolution.record = usable_record(world.seams.ledger, spec, resolution.key);
  const bool for_content = task.action == Action::run && task.record && task.record->key == resolution.key;
  if (resolution.record && (!for_content || world.seams.store.has(resolution.key))) {
    resolution.action = Action::reuse;
    resolution.reason = "reused";
    return resolution;
  }
  resolution.reason = for_content ? task.reason : reason_to_run(world, task, resolution.key);
  resolution.missing = missing_content(world, task.id);
  return resolution;
}

}  // namespace

Digest source_digest(const Plan& plan, const TaskSource& source, const FinishedRecord& finished) {
  if (source.kind == TaskSource::Kind::input) {
    const PlanInput& input = plan.inputs[source.index];
    if (input.error) throw Fault(fmt::format("the input '{}' was read although it could not be opened", input.name));
    return input.digest;
  }
  const Record* record = finished(TaskId{source.index});
  if (!record) throw Fault(fmt::format("task {} was read before it ended well", source.index));
  const auto output = record->outputs.find(std::string(source.port));
  if (output == record->outputs.end())
    throw Fault(fmt::format("the record of task {} lacks the port '{}'", source.index, source.port));
  return output->second.digest;
}

Resolution resolve(const Plan& plan, const Batch& batch, const std::filesystem::path& out, TaskId id,
                   const FinishedRecord& finished, const PlanSeams& seams) {
  const Task& task = plan.task(id);
  if (task.action == Action::skip) throw Fault(fmt::format("{} is skipped", display_name(plan, batch, id)));
  const World world{plan, batch, finished, seams};
  return task.is_output ? resolve_output(world, out, task) : resolve_step(world, task);
}

}  // namespace atelier
