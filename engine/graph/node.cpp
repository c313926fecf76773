#include "graph/node.h"

#include <fmt/format.h>

namespace atelier {

const std::vector<Artifact>& Job::input_list(std::string_view port) const {
  static const std::vector<Artifact> none;
  const auto found = inputs.find(port);
  return found == inputs.end() ? none : found->second;
}

std::vector<Expected<Outputs>> SingleNode::run(std::span<Job> jobs, Device& device) const {
  std::vector<Expected<Outputs>> results;
  results.reserve(jobs.size());
  for (const auto& job : jobs) results.push_back(run_one(job, device));
  return results;
}

void NodeRegistry::add(std::unique_ptr<const Node> node) {
  const NodeSpec& spec = node->spec();
  for (const auto* ports : {&spec.inputs, &spec.outputs})
    for (const auto& port : *ports)
      if (!types_.contains(port.type))
        throw Fault(fmt::format("node '{}', port '{}': no port type is named '{}'", spec.name, port.name, port.type));
  const std::string name = spec.name;
  if (!nodes_.emplace(name, std::move(node)).second) throw Fault(fmt::format("two nodes are named '{}'", name));
}

void NodeRegistry::add_type(std::shared_ptr<const PortType> type) {
  const std::string name(type->name());
  if (!types_.emplace(name, std::move(type)).second) throw Fault(fmt::format("two port types are named '{}'", name));
}

const Node* NodeRegistry::find(std::string_view name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : found->second.get();
}
const PortType* NodeRegistry::find_type(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : found->second.get();
}

std::vector<std::string> NodeRegistry::names() const {
  std::vector<std::string> all;
  for (const auto& [name, node] : nodes_) all.push_back(name);
  return all;
}
std::vector<std::string> NodeRegistry::type_names() const {
  std::vector<std::string> all;
  for (const auto& [name, type] : types_) all.push_back(name);
  return all;
}

}  // namespace atelier
