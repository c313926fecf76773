#include "plan/planner.h"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "base/nearest.h"
#include "plan/content.h"
#include "plan/step_params.h"
#include "plan/task_builder.h"

namespace atelier {
namespace {

class Planner {
 public:
  Planner(const Batch& batch, const PlanOptions& options, const PlanSeams& seams)
      : batch_(batch), params_(batch), builder_(batch, options, seams), outputs_(batch.customers.size()) {}

  void add_customer(std::size_t row);
  void add_shared_outputs();
  Plan take();

 private:
  void share(std::size_t step);
  void collect(const Plan& plan, std::size_t row, std::vector<std::uint32_t>& seen, std::vector<TaskId>& all) const;

  const Batch& batch_;
  StepParams params_;
  TaskBuilder builder_;
  std::vector<std::vector<TaskId>> outputs_;  // by customer
};

// The batch's own task of a step of batch scope, and of all that feeds it, made when first asked for: where every
// customer has values of their own it may never be.
void Planner::share(std::size_t step) {
  const std::size_t row = shared_row(batch_);
  if (builder_.has_step(row, step)) return;
  for (const auto& port : batch_.pipeline.steps[step].inputs)
    for (const auto& source : port.sources)
      if (source.kind == Source::Kind::step) share(source.index);
  builder_.add_step(row, step, params_.evaluate(step, params_.shared()));
}

void Planner::add_customer(std::size_t row) {
  const CustomerValues& values = params_.of(batch_.customers[row]);
  for (std::size_t step = 0; step < batch_.pipeline.steps.size(); ++step) {
    if (batch_.pipeline.steps[step].scope == Scope::customer || params_.concerns(values, step)) {
      builder_.add_step(row, step, params_.evaluate(step, values));
    } else {
      share(step);
      builder_.share_step(row, step);
    }
  }
  for (std::size_t i = 0; i < batch_.pipeline.outputs.size(); ++i) {
    const PipelineOutput& output = batch_.pipeline.outputs[i];
    if (output.scope == Scope::customer)
      outputs_[row].push_back(builder_.add_output(row, i, evaluate(output.path, values.values)));
  }
}

void Planner::add_shared_outputs() {
  for (std::size_t i = 0; i < batch_.pipeline.outputs.size(); ++i) {
    const PipelineOutput& output = batch_.pipeline.outputs[i];
    if (output.scope != Scope::batch) continue;
    share(output.step);
    builder_.add_output(shared_row(batch_), i, evaluate(output.path, params_.shared().values));
  }
}

// A customer's own steps and outputs, and all that feeds them. `seen` marks tasks by row.
void Planner::collect(const Plan& plan, std::size_t row, std::vector<std::uint32_t>& seen,
                      std::vector<TaskId>& all) const {
  const auto mark = static_cast<std::uint32_t>(row + 1);
  const auto add = [&](TaskId id) {
    if (std::exchange(seen[index_of(id)], mark) != mark) all.push_back(id);
  };
  for (std::size_t step = 0; step < batch_.pipeline.steps.size(); ++step) {
    const TaskId id = task_of(plan, batch_, row, step);
    if (id != kNoTask && id != task_of(plan, batch_, shared_row(batch_), step)) add(id);
  }
  for (const TaskId id : outputs_[row]) add(id);
  for (std::size_t i = 0; i < all.size(); ++i)
    for (const TaskId source : plan.task(all[i]).dependencies) add(source);
  std::ranges::sort(all);
}

Plan Planner::take() {
  Plan plan = builder_.take();
  plan.by_customer.resize(batch_.customers.size());
  std::vector<std::uint32_t> seen(plan.tasks.size(), 0);
  for (std::size_t row = 0; row < batch_.customers.size(); ++row) collect(plan, row, seen, plan.by_customer[row]);
  return plan;
}

Error unknown_customer(const Batch& batch, const std::string& id) {
  std::vector<std::string> ids;
  for (const auto& customer : batch.customers) ids.push_back(customer.id);
  return {ErrorKind::input, fmt::format("--only: the batch has no customer '{}'{}", id, did_you_mean(id, ids))};
}

// Which customers are to be planned.
Expected<std::vector<bool>> selected(const Batch& batch, const std::vector<std::string>& only) {
  std::vector<bool> wanted(batch.customers.size(), only.empty());
  for (const auto& id : only) {
    const auto found = std::ranges::find(batch.customers, id, &Customer::id);
    if (found == batch.customers.end()) return tl::unexpected(unknown_customer(batch, id));
    wanted[static_cast<std::size_t>(found - batch.customers.begin())] = true;
  }
  return wanted;
}

}  // namespace

Expected<Plan> make_plan(const Batch& batch, const PlanOptions& options, const PlanSeams& seams) {
  const auto wanted = selected(batch, options.only);
  if (!wanted) return tl::unexpected(wanted.error());
  Planner planner(batch, options, seams);
  for (std::size_t row = 0; row < batch.customers.size(); ++row)
    if ((*wanted)[row]) planner.add_customer(row);
  planner.add_shared_outputs();
  Plan plan = planner.take();
  require_content(plan, batch, seams.store);
  return plan;
}

}  // namespace atelier
