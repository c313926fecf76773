// plan: makes the tasks of a plan one after the other, each decided as it is made: what feeds it stands before it.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "plan/input_opener.h"
#include "plan/planner.h"
#include "plan/step_params.h"

namespace atelier {

class TaskBuilder {
 public:
  TaskBuilder(const Batch& batch, const PlanOptions& options, const PlanSeams& seams);

  // The task of a step for a row of Plan::step_tasks, found or made. The row's tasks of the steps that feed it stand
  // already.
  void add_step(std::size_t row, std::size_t step, const EvaluatedParams& params);
  // Lets a row share what the batch has for a step.
  void share_step(std::size_t row, std::size_t step);
  // The task that writes an output to `path` for a row.
  TaskId add_output(std::size_t row, std::size_t output, std::string path);

  bool has_step(std::size_t row, std::size_t step) const { return step_task(row, step) != kNoTask; }
  Plan take();

 private:
  struct Arrival;
  struct Decision;
  std::size_t slot(std::size_t row, std::size_t step) const;
  TaskId step_task(std::size_t row, std::size_t step) const { return plan_.step_tasks[slot(row, step)]; }
  const Customer* customer_of(std::size_t row) const;
  Arrival arrive(std::size_t row, const PipelineStep& step);
  std::optional<Digest> known_digest(const TaskSource& source) const;
  void decide(Task& task, std::size_t row, const Arrival& arrival) const;
  void decide_output(Task& task, const std::optional<Digest>& source) const;
  std::string waits_for(const std::vector<TaskPort>& ports) const;
  TaskId append(Task task, const Digest& recipe);
  void claim(Task& task, std::size_t row) const;

  const Batch& batch_;
  const PlanOptions& options_;
  const PlanSeams& seams_;
  std::string place_;  // batch_place()
  InputOpener opener_;
  Plan plan_;
  std::unordered_map<Digest, TaskId> by_recipe_;
};

}  // namespace atelier
