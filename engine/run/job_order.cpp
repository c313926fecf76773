#include "run/job_order.h"

#include <fmt/format.h>

#include <unordered_map>

namespace atelier {
namespace {

using Json = nlohmann::json;

// Walks from a task to all that feeds it.
class OrderMaker {
 public:
  explicit OrderMaker(const InputGraph& graph) : graph_(graph) {}

  Expected<JobOrder> make(TaskId task) {
    add(task);
    for (std::size_t next = 0; next < tasks_.size(); ++next) add_ports(next);
    if (wrong_) return tl::unexpected(*wrong_);
    return std::move(order_);
  }

 private:
  std::uint32_t add(TaskId task) {
    const auto [at, fresh] = place_of_task_.emplace(index_of(task), static_cast<std::uint32_t>(tasks_.size()));
    if (!fresh) return at->second;
    tasks_.push_back(task);
    order_.steps.push_back({.name = graph_.name(task),
                            .node = graph_.node(task).spec().name,
                            .params = graph_.params(task),
                            .ports = {},
                            .key = at->second == 0 ? std::nullopt : graph_.key(task)});
    return at->second;
  }

  void add_ports(std::size_t step) {
    std::vector<JobOrder::Port> ports;
    for (const TaskPort& port : graph_.ports(tasks_[step])) {
      ports.push_back({.name = std::string(port.name), .sources = {}});
      for (const TaskSource& source : port.sources) ports.back().sources.push_back(told(source));
    }
    order_.steps[step].ports = std::move(ports);
  }

  JobOrder::Source told(const TaskSource& source) {
    if (source.kind == TaskSource::Kind::task)
      return {.is_input = false, .index = add(static_cast<TaskId>(source.index)), .port = std::string(source.port)};
    const auto [at, fresh] = place_of_input_.emplace(source.index, static_cast<std::uint32_t>(order_.inputs.size()));
    if (fresh) {
      auto input = graph_.input(source.index);
      if (!input && !wrong_) wrong_ = input.error();
      order_.inputs.push_back(input ? std::move(*input) : Artifact{});
    }
    return {.is_input = true, .index = at->second, .port = {}};
  }

  const InputGraph& graph_;
  std::vector<TaskId> tasks_;
  std::unordered_map<std::size_t, std::uint32_t> place_of_task_, place_of_input_;
  JobOrder order_;
  std::optional<Error> wrong_;
};

Json json_of(const Artifact& input) {
  Json files = Json::array();
  for (const auto& file : input.files)
    files.push_back(
        {{"name", file.name}, {"digest", file.digest.hex()}, {"path", file.path.string()}, {"size", file.size_bytes}});
  return {{"metadata", input.metadata}, {"files", std::move(files)}};
}

Json json_of(const JobOrder::Step& step) {
  Json params = Json::object(), ports = Json::array();
  for (const auto& [name, value] : step.params.all())
    if (!value.absent()) params[name] = value.json();
  for (const auto& port : step.ports) {
    Json sources = Json::array();
    for (const auto& source : port.sources)
      sources.push_back(source.is_input ? Json{{"input", source.index}}
                                        : Json{{"step", source.index}, {"port", source.port}});
    ports.push_back({{"name", port.name}, {"sources", std::move(sources)}});
  }
  Json json{{"name", step.name}, {"node", step.node}, {"params", std::move(params)}, {"ports", std::move(ports)}};
  if (step.key) json["key"] = step.key->hex();
  return json;
}

Digest digest_in(const Json& json, const char* name) {
  const auto digest = Digest::from_hex(json.at(name).get<std::string>());
  if (!digest) throw UserError(fmt::format("an order's '{}' is no digest", name));
  return *digest;
}

Value value_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  Value::List list;
  for (const auto& one : json) list.push_back(value_of(one));
  return list;
}

Artifact input_of(const Json& json) {
  Artifact input;
  input.metadata = json.at("metadata");
  for (const auto& file : json.at("files"))
    input.files.push_back({.name = file.at("name"),
                           .digest = digest_in(file, "digest"),
                           .path = file.at("path").get<std::string>(),
                           .size_bytes = file.at("size")});
  return input;
}

JobOrder::Step step_of(const Json& json, const NodeRegistry& registry) {
  JobOrder::Step step{.name = json.at("name"), .node = json.at("node"), .params = {}, .ports = {}, .key = {}};
  const Node* const node = registry.find(step.node);
  if (!node) throw UserError(fmt::format("an order names the node '{}', which this program has not", step.node));
  std::map<std::string, Value> given;
  for (const auto& [name, value] : json.at("params").items()) given.emplace(name, value_of(value));
  step.params = Params(node->spec(), std::move(given));
  for (const auto& port : json.at("ports")) {
    step.ports.push_back({.name = port.at("name"), .sources = {}});
    for (const auto& source : port.at("sources")) {
      const bool is_input = source.contains("input");
      step.ports.back().sources.push_back({.is_input = is_input,
                                           .index = source.at(is_input ? "input" : "step"),
                                           .port = is_input ? "" : source.at("port").get<std::string>()});
    }
  }
  if (json.contains("key")) step.key = digest_in(json, "key");
  return step;
}

void check_indexes(const JobOrder& order) {
  if (order.steps.empty()) throw UserError("an order has no step");
  for (const auto& step : order.steps)
    for (const auto& port : step.ports)
      for (const auto& source : port.sources)
        if (source.index >= (source.is_input ? order.inputs.size() : order.steps.size()))
          throw UserError(fmt::format("an order's step '{}' is fed by something that is not there", step.name));
}

}  // namespace

Expected<JobOrder> order_of(const InputGraph& graph, TaskId task) { return OrderMaker(graph).make(task); }

nlohmann::json to_json(const JobOrder& order) {
  Json steps = Json::array(), inputs = Json::array();
  for (const auto& step : order.steps) steps.push_back(json_of(step));
  for (const auto& input : order.inputs) inputs.push_back(json_of(input));
  return {{"steps", std::move(steps)},
          {"inputs", std::move(inputs)},
          {"key", order.key.hex()},
          {"threads", order.threads},
          {"times_out_of_memory", order.times_out_of_memory},
          {"scratch", order.scratch.string()},
          {"provenance", order.provenance}};
}

JobOrder order_from_json(const nlohmann::json& json, const NodeRegistry& registry) {
  try {
    JobOrder order;
    for (const auto& step : json.at("steps")) order.steps.push_back(step_of(step, registry));
    for (const auto& input : json.at("inputs")) order.inputs.push_back(input_of(input));
    order.key = digest_in(json, "key");
    order.threads = json.at("threads");
    order.times_out_of_memory = json.at("times_out_of_memory");
    order.scratch = json.at("scratch").get<std::string>();
    order.provenance = json.at("provenance");
    check_indexes(order);
    return order;
  } catch (const Json::exception& error) {
    throw UserError(fmt::format("no order: {}", error.what()));
  }
}

OrderGraph::OrderGraph(const JobOrder& order, const NodeRegistry& registry) : order_(order), registry_(registry) {
  for (const auto& step : order.steps) {
    ports_.emplace_back();
    for (const auto& port : step.ports) {
      ports_.back().push_back({.name = port.name, .sources = {}});
      for (const auto& source : port.sources)
        ports_.back().back().sources.push_back(
            {.kind = source.is_input ? TaskSource::Kind::input : TaskSource::Kind::task,
             .index = source.index,
             .port = source.port});
    }
  }
}

}  // namespace atelier
