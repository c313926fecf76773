#include <fmt/format.h>

#include "base/nearest.h"
#include "cli/json_text.h"
#include "cli/program.h"
#include "schema/node_json.h"
#include "schema/param_line.h"

namespace atelier::cli {
namespace {

std::string_view how_taken(const PortSpec& port) {
  if (port.many) return port.required ? " (a list)" : " (a list, may be left out)";
  return port.required ? "" : " (may be left out)";
}

void print_port(const PortSpec& port, bool is_input) {
  const std::string_view how = is_input ? how_taken(port) : port.aside ? " (beside the result)" : "";
  fmt::print("    {:<18} {}{}\n{:23}{}\n", port.name, port.type, how, "", port.summary);
}

void print_param(const ParamSpec& param) {
  fmt::print("    {:<18} {}\n{:23}{}\n", param.name, param_line(param), "", param.summary);
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
