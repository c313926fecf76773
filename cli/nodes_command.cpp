#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/nearest.h"
#include "cli/json_text.h"
#include "cli/program.h"

namespace atelier::cli {
namespace {

std::string range_of(const ParamSpec& param) {
  if (!param.choices.empty()) return fmt::format("{}", fmt::join(param.choices, " | "));
  if (param.minimum && param.maximum) return fmt::format("{} … {}", *param.minimum, *param.maximum);
  if (param.minimum) return fmt::format(">= {}", *param.minimum);
  if (param.maximum) return fmt::format("<= {}", *param.maximum);
  return "";
}

std::string type_of(const ParamSpec& param) {
  if (param.type != ValueType::list) return std::string(name_of(param.type));
  return fmt::format("a list, each {}", name_of(param.element.value_or(ValueType::text)));
}

std::string default_of(const ParamSpec& param) {
  if (param.required) return "must be given";
  return "default " + (param.value.absent() ? "none" : param.value.show());
}

nlohmann::json port_json(const PortSpec& port) {
  return {{"name", port.name},
          {"type", port.type},
          {"many", port.many},
          {"required", port.required},
          {"summary", port.summary}};
}

nlohmann::json param_json(const ParamSpec& param) {
  nlohmann::json json{{"name", param.name},
                      {"type", type_of(param)},
                      {"default", param.value.json()},
                      {"unit", param.unit},
                      {"summary", param.summary},
                      {"required", param.required},
                      {"in_key", param.role == ParamRole::in_key}};
  if (param.minimum) json["minimum"] = *param.minimum;
  if (param.maximum) json["maximum"] = *param.maximum;
  if (!param.choices.empty()) json["choices"] = param.choices;
  return json;
}

nlohmann::json node_json(const NodeSpec& spec) {
  nlohmann::json json{{"name", spec.name},
                      {"summary", spec.summary},
                      {"version", spec.version},
                      {"place", spec.place == Place::device ? "device" : "cpu"},
                      {"inputs", nlohmann::json::array()},
                      {"outputs", nlohmann::json::array()},
                      {"params", nlohmann::json::array()}};
  for (const auto& port : spec.inputs) json["inputs"].push_back(port_json(port));
  for (const auto& port : spec.outputs) json["outputs"].push_back(port_json(port));
  for (const auto& param : spec.params) json["params"].push_back(param_json(param));
  return json;
}

void print_port(const PortSpec& port, bool is_input) {
  const char* how = !is_input ? "" : port.many ? " (a list)" : port.required ? "" : " (may be left out)";
  fmt::print("    {:<18} {}{}\n{:23}{}\n", port.name, port.type, how, "", port.summary);
}

void print_param(const ParamSpec& param) {
  const std::string unit = param.unit.empty() ? "" : " in " + param.unit;
  fmt::print("    {:<18} {}{}; {}", param.name, type_of(param), unit, default_of(param));
  if (const auto range = range_of(param); !range.empty()) fmt::print("; {}", range);
  fmt::print("{}\n{:23}{}\n", param.role == ParamRole::execution ? "; does not change the result" : "", "",
             param.summary);
}

void print_manual(const NodeSpec& spec) {
  fmt::print("{}: {}\n  version {}, runs on {}\n", spec.name, spec.summary, spec.version,
             spec.place == Place::device ? "a device" : "the CPU");
  fmt::print("  inputs\n");
  for (const auto& port : spec.inputs) print_port(port, true);
  fmt::print("  outputs\n");
  for (const auto& port : spec.outputs) print_port(port, false);
  if (!spec.params.empty()) fmt::print("  params\n");
  for (const auto& param : spec.params) print_param(param);
}

void list_nodes(const NodeRegistry& registry, bool json) {
  auto all = nlohmann::json::array();
  for (const auto& name : registry.names()) {
    const NodeSpec& spec = registry.find(name)->spec();
    if (json)
      all.push_back(node_json(spec));
    else
      fmt::print("{:<16} {}\n", spec.name, spec.summary);
  }
  if (json) fmt::print("{}\n", json_text(all, kIndented));
}

}  // namespace

// `atelier nodes [NAME]`: the nodes, or one node's manual page, both made from what the nodes declare.
void add_nodes_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("nodes", "List the nodes, or show one: ports, params with units and defaults");
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command->add_option("NAME", *name, "A node")->type_name("");
  add_json_flag(*command, *json);
  add_example(*command, "atelier nodes train");
  command->callback([&program, name, json] {
    if (name->empty()) return list_nodes(program.registry, *json);
    const Node* node = program.registry.find(*name);
    if (!node) {
      fmt::print(stderr, "no node is named '{}'{}\n", *name, did_you_mean(*name, program.registry.names()));
      program.exit_code = kWrongInput;
      return;
    }
    if (*json)
      fmt::print("{}\n", json_text(node_json(node->spec()), kIndented));
    else
      print_manual(node->spec());
  });
}

}  // namespace atelier::cli
