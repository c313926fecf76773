// run: a task as a worker is told it: the task, all that feeds it, and the places of its files; nothing of the batch.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "run/input_graph.h"

namespace atelier {

struct JobOrder {
  struct Source {
    bool is_input = true;
    std::uint32_t index = 0;  // into `inputs` or `steps`
    std::string port{};       // of the step
  };
  struct Port {
    std::string name{};
    std::vector<Source> sources{};
  };
  struct Step {
    std::string name{}, node{};
    Params params{};
    std::vector<Port> ports{};
    std::optional<Digest> key{};  // of one that has ended well
  };
  std::vector<Step> steps{};       // the first is the task
  std::vector<Artifact> inputs{};  // FileRefs only

  Digest key{};                                          // of the task
  int threads = 1;                                       // that it may use
  int times_out_of_memory = 0;                           // in the tries before
  std::filesystem::path scratch{};                       // the task's own folder
  nlohmann::json provenance = nlohmann::json::object();  // kept with its content
};

// The task and all that it may read. Errors: what a pipeline's input that it needs could not be opened for.
Expected<JobOrder> order_of(const InputGraph& graph, TaskId task);

nlohmann::json to_json(const JobOrder& order);
// Throws UserError where it is no order, or one of a node that the registry does not have.
JobOrder order_from_json(const nlohmann::json& json, const NodeRegistry& registry);

// The order as what opens inputs wants it; the task is TaskId{0}. Both must outlive it.
class OrderGraph final : public InputGraph {
 public:
  OrderGraph(const JobOrder& order, const NodeRegistry& registry);
  std::span<const TaskPort> ports(TaskId task) const override { return ports_[index_of(task)]; }
  const Node& node(TaskId task) const override { return *registry_.find(order_.steps[index_of(task)].node); }
  const Params& params(TaskId task) const override { return order_.steps[index_of(task)].params; }
  std::optional<Digest> key(TaskId task) const override { return order_.steps[index_of(task)].key; }
  Expected<Artifact> input(std::uint32_t index) const override { return order_.inputs[index]; }
  std::string name(TaskId task) const override { return order_.steps[index_of(task)].name; }

 private:
  const JobOrder& order_;
  const NodeRegistry& registry_;
  std::vector<std::vector<TaskPort>> ports_;
};

}  // namespace atelier
