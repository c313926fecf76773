#include "plan/needs.h"

namespace atelier {
namespace {

std::uint64_t size_of(const Plan& plan, const TaskSource& source) {
  std::uint64_t sum = 0;
  if (source.kind == TaskSource::Kind::input) {
    for (const auto& file : plan.inputs[source.index].artifact.files) sum += file.size_bytes;
    return sum;
  }
  const auto& record = plan.tasks[source.index].record;
  if (!record) return 0;
  const auto output = record->outputs.find(std::string(source.port));
  return output == record->outputs.end() ? 0 : output->second.size_bytes;
}

// A recipe is made again whenever it is read, so what reaches it is what its reader will open.
void add_inputs(const Plan& plan, const Batch& batch, const TaskSource& source, std::vector<const Artifact*>& inputs) {
  if (source.kind == TaskSource::Kind::input) {
    inputs.push_back(&plan.inputs[source.index].artifact);
    return;
  }
  const Task& task = plan.tasks[source.index];
  const NodeSpec* const spec = spec_of(plan, batch, task.id);
  if (!spec || spec->keep != Keep::recipe) return;
  for (const auto& port : task.inputs)
    for (const auto& further : port.sources) add_inputs(plan, batch, further, inputs);
}

InputInfo info_of(const Plan& plan, const Batch& batch, const Task& task) {
  InputInfo info;
  for (const auto& port : task.inputs) {
    const std::string name(port.name);
    info.sources[name] = port.sources.size();
    auto& sum = info.size_bytes[name];
    for (const auto& source : port.sources) {
      sum += size_of(plan, source);
      add_inputs(plan, batch, source, info.inputs[name]);
    }
  }
  return info;
}

bool alike(const InputInfo& a, const InputInfo& b) {
  return a.size_bytes == b.size_bytes && a.sources == b.sources && a.inputs == b.inputs;
}

}  // namespace

Needs NeedsOfTasks::of(const Task& task) {
  constexpr double output_guess_s = 0.05;
  if (task.is_output) return {.seconds = output_guess_s};
  auto info = info_of(plan_, batch_, task);
  Answer& last = last_[task.step];
  if (last.params != task.params || !alike(last.info, info)) {
    const auto needs = batch_.pipeline.steps[task.step].node->needs(*task.params, info);
    last = {task.params, std::move(info), needs};
  }
  return last.needs;
}

}  // namespace atelier
