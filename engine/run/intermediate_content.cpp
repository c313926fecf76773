#include "run/intermediate_content.h"

namespace atelier {

IntermediateContent::IntermediateContent(const Plan& plan, const Batch& batch, Store& store,
                                         const std::vector<bool>& settled)
    : plan_(plan), batch_(batch), store_(store), readers_(plan.tasks.size()) {
  for (std::size_t i = 0; i < plan.tasks.size(); ++i)
    if (!settled[i]) for_each_source(static_cast<TaskId>(i), [&](TaskId source) { ++readers_[index_of(source)]; });
}

Keep IntermediateContent::keep_of(TaskId id) const {
  const Task& task = plan_.tasks[index_of(id)];
  return task.is_output ? Keep::always : batch_.pipeline.steps[task.step].node->spec().keep;
}

// What `reader` reads: what its dependencies made and, through those whose content is never stored, what made them.
template <class Use>
void IntermediateContent::for_each_source(TaskId reader, const Use& use) const {
  for (const TaskId dependency : plan_.tasks[index_of(reader)].dependencies) {
    const Keep keep = keep_of(dependency);
    if (keep == Keep::while_needed) use(dependency);
    if (keep == Keep::recipe) for_each_source(dependency, use);
  }
}

void IntermediateContent::made(TaskId task, const Digest& key) {
  if (keep_of(task) != Keep::while_needed || readers_[index_of(task)] == 0) return;
  if (keys_.emplace(static_cast<std::uint32_t>(task), key).second) ++in_use_[key];
}

void IntermediateContent::reader_done(TaskId task) {
  for_each_source(task, [&](TaskId source) {
    if (--readers_[index_of(source)] > 0) return;
    const auto made = keys_.extract(static_cast<std::uint32_t>(source));
    if (!made) return;
    const auto used = in_use_.find(made.mapped());
    if (--used->second > 0) return;
    in_use_.erase(used);
    store_.drop(made.mapped());
  });
}

}  // namespace atelier
