#include "pipeline/connect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "base/nearest.h"
#include "pipeline/yaml_reader.h"

namespace atelier {
namespace {

std::string port_of_step(const StepDeclaration& step, std::string_view port) {
  return fmt::format("step '{}', port '{}'", step.name, port);
}

std::vector<std::string> names_of(const std::vector<PortSpec>& ports) {
  std::vector<std::string> names;
  for (const auto& port : ports) names.push_back(port.name);
  return names;
}

std::string it_has(const std::vector<std::string>& names) { return names.empty() ? "none" : listed(names); }

Connection connection_to(Source::Kind kind, std::size_t index, const std::string& port, const std::string& type) {
  Connection connection;
  connection.source.kind = kind;
  connection.source.index = index;
  connection.source.port = port;
  connection.type = type;
  return connection;
}

}  // namespace

std::optional<Connection> Connector::resolve(const Instance& instance, const Reference& reference,
                                             const std::string& what) {
  const auto again = std::ranges::find_if(trail_, [&](const Waypoint& waypoint) {
    return waypoint.instance == &instance && waypoint.reference->text == reference.text;
  });
  if (again != trail_.end()) {
    tell_cycle(static_cast<std::size_t>(again - trail_.begin()));
    return {};
  }
  trail_.push_back({&instance, &reference});
  std::optional<Connection> found;
  const std::string_view head = reference.head();
  if (const InputDeclaration* input = instance.file->find_input(head)) {
    found = resolve_input(instance, *input, reference, what);
  } else if (const auto step = instance.steps.find(head); step != instance.steps.end()) {
    found = resolve_step(step->second, reference, what);
  } else if (const auto module = instance.modules.find(head); module != instance.modules.end()) {
    found = resolve_module(*module->second, reference, what);
  } else if (!instance.file->find_step(head)) {
    unknown(instance, reference, what);
  }
  trail_.pop_back();
  return found;
}

void Connector::tell_cycle(std::size_t begin) {
  // What is left without the modules' own inputs is what the user connected.
  std::vector<Waypoint> path;
  for (auto it = trail_.begin() + static_cast<std::ptrdiff_t>(begin); it != trail_.end(); ++it)
    if (!it->instance->file->find_input(it->reference->head())) path.push_back(*it);
  std::ranges::reverse(path);  // from feeder to fed
  // Whichever reference was followed first, the cycle is told in one way, and so once.
  const auto place = [](const Waypoint& waypoint) {
    const Reference& reference = *waypoint.reference;
    return std::tuple(waypoint.instance->prefix, reference.text, reference.position.line, reference.position.column);
  };
  std::ranges::rotate(path, std::ranges::min_element(path, {}, place));
  std::vector<std::string> names;
  for (const auto& waypoint : path) names.push_back(waypoint.instance->prefix + waypoint.reference->text);
  const auto where = std::ranges::min_element(path, {}, [](const Waypoint& waypoint) {
    return std::pair(waypoint.reference->position.line, waypoint.reference->position.column);
  });
  mistakes_.add(where->reference->position, fmt::format("cycle: {} -> {}", fmt::join(names, " -> "), names.front()));
}

void Connector::unknown(const Instance& instance, const Reference& reference, const std::string& what) {
  const auto names = instance.file->source_names();
  mistakes_.add(reference.position,
                fmt::format("{}: no input or step is named '{}'; expected one of {}{}", what, reference.head(),
                            listed(names), did_you_mean(reference.head(), names)));
}

std::optional<Connection> Connector::resolve_input(const Instance& instance, const InputDeclaration& input,
                                                   const Reference& reference, const std::string& what) {
  if (reference.text != input.name) {
    mistakes_.add(reference.position,
                  fmt::format("{}: input '{}' has no ports; expected '{}'", what, input.name, input.name));
    return {};
  }
  if (!registry_.find_type(input.type)) return {};  // told where it is declared
  if (!instance.parent) {
    const auto index = static_cast<std::size_t>(&input - instance.file->inputs.data());
    return connection_to(Source::Kind::input, index, "", input.type);
  }
  const PortDeclaration* given = instance.step->find_port(input.name);
  if (!given || given->references.size() != 1) return {};
  auto found = resolve(*instance.parent, given->references.front(), port_of_step(*instance.step, input.name));
  // In the module the input is what the module says it is; a mismatch is told where the module is used.
  if (found) found->type = input.type;
  return found;
}

const std::string* Connector::choose_output(const std::vector<std::string>& outputs, const Reference& reference,
                                            const std::string& what) {
  const std::string_view port = reference.port();
  if (reference.text.size() == reference.head().size()) {
    if (outputs.size() == 1) return &outputs.front();
    std::vector<std::string> full;
    for (const auto& output : outputs) full.push_back(fmt::format("{}.{}", reference.head(), output));
    mistakes_.add(reference.position, outputs.empty()
                                          ? fmt::format("{}: step '{}' has no output", what, reference.head())
                                          : fmt::format("{}: step '{}' has several outputs; expected one of {}", what,
                                                        reference.head(), listed(full)));
    return nullptr;
  }
  const auto found = std::ranges::find(outputs, port);
  if (found != outputs.end()) return &*found;
  mistakes_.add(reference.position, fmt::format("{}: step '{}' has no output '{}'; it has {}{}", what, reference.head(),
                                                port, it_has(outputs), did_you_mean(port, outputs)));
  return nullptr;
}

std::optional<Connection> Connector::resolve_step(std::size_t index, const Reference& reference,
                                                  const std::string& what) {
  const NodeSpec& spec = expansion_.steps[index].node->spec();
  const PortSpec* main = spec.main_output();
  if (main && reference.text.size() == reference.head().size())
    return connection_to(Source::Kind::step, index, main->name, main->type);
  const auto outputs = names_of(spec.outputs);
  const std::string* output = choose_output(outputs, reference, what);
  if (!output) return {};
  return connection_to(Source::Kind::step, index, *output, spec.output(*output)->type);
}

std::optional<Connection> Connector::resolve_module(const Instance& module, const Reference& reference,
                                                    const std::string& what) {
  const auto outputs = module.file->output_names();
  const std::string* name = choose_output(outputs, reference, what);
  const OutputDeclaration* output = name ? module.file->find_output(*name) : nullptr;
  if (!output || !output->from) return {};
  return resolve(module, *output->from, fmt::format("output '{}'", output->name));
}

void Connector::check_type(const Connection& connection, const std::string& expected, const Reference& reference,
                           const std::string& what) {
  if (connection.type != expected)
    mistakes_.add(reference.position,
                  fmt::format("{}: expects {}, '{}' is {}", what, expected, reference.text, connection.type));
}

std::optional<PortBinding> Connector::bind(const ExpandedStep& step, const PortSpec& spec,
                                           const PortDeclaration& port) {
  const std::string what = port_of_step(*step.declaration, port.port);
  if (port.is_list && !spec.many) {
    mistakes_.add(port.position, fmt::format("{}: expects one name, is a list", what));
    return {};
  }
  if (port.is_empty) {
    mistakes_.add(port.position, fmt::format("{}: expects at least one name, the list is empty", what));
    return {};
  }
  PortBinding binding{&spec, {}};
  for (const auto& reference : port.references) {
    const auto found = resolve(*step.instance, reference, what);
    if (!found) continue;
    check_type(*found, spec.type, reference, what);
    binding.sources.push_back(found->source);
  }
  if (binding.sources.empty()) return {};
  return binding;
}

std::vector<PortBinding> Connector::connect_step(const ExpandedStep& step) {
  const NodeSpec& spec = step.node->spec();
  const StepDeclaration& declaration = *step.declaration;
  const auto names = names_of(spec.inputs);
  for (const auto& port : declaration.in)
    if (!spec.input(port.port))
      mistakes_.add(port.position, fmt::format("step '{}': node '{}' has no port '{}'; it has {}{}", declaration.name,
                                               spec.name, port.port, it_has(names), did_you_mean(port.port, names)));
  std::vector<PortBinding> bindings;
  for (const auto& port : spec.inputs) {
    if (const PortDeclaration* given = declaration.find_port(port.name)) {
      if (auto binding = bind(step, port, *given)) bindings.push_back(std::move(*binding));
    } else if (port.required && declaration.in_is_whole) {
      mistakes_.add(declaration.position, fmt::format("step '{}': port '{}' is missing; expects {}{}", declaration.name,
                                                      port.name, port.many ? "a list of " : "", port.type));
    }
  }
  return bindings;
}

void Connector::check_module_ports(const Instance& module) {
  const StepDeclaration& step = *module.step;
  const auto names = module.file->input_names();
  for (const auto& port : step.in) {
    const std::string what = port_of_step(step, port.port);
    const InputDeclaration* input = module.file->find_input(port.port);
    if (!input) {
      mistakes_.add(port.position,
                    fmt::format("step '{}': module '{}' has no input '{}'; it has {}{}", step.name, module.file->file,
                                port.port, it_has(names), did_you_mean(port.port, names)));
    } else if (port.is_list) {
      mistakes_.add(port.position, fmt::format("{}: expects one name, is a list", what));
    } else if (port.references.size() == 1 && registry_.find_type(input->type)) {
      const auto found = resolve(*module.parent, port.references.front(), what);
      if (found) check_type(*found, input->type, port.references.front(), what);
    }
  }
  if (!step.in_is_whole) return;
  for (const auto& input : module.file->inputs)
    if (!step.find_port(input.name))
      mistakes_.add(step.position,
                    fmt::format("step '{}': port '{}' is missing; expects {}", step.name, input.name, input.type));
}

void Connector::check_input_types(const Instance& instance) {
  for (const auto& input : instance.file->inputs) {
    if (input.type.empty()) continue;
    const PortType* type = registry_.find_type(input.type);
    std::vector<std::string> names;
    for (const auto& name : registry_.type_names())
      if (instance.parent || registry_.find_type(name)->is_input()) names.push_back(name);
    if (!type)
      mistakes_.add(input.type_position,
                    fmt::format("input '{}': no type is named '{}'; expected one of {}{}", input.name, input.type,
                                listed(names), did_you_mean(input.type, names)));
    else if (!instance.parent && !type->is_input())
      mistakes_.add(input.type_position, fmt::format("input '{}': {} cannot be given from outside; expected one of {}",
                                                     input.name, input.type, listed(names)));
  }
}

void Connector::connect_modules(const Instance& instance) {
  check_input_types(instance);
  for (const auto& [name, module] : instance.modules) {
    check_module_ports(*module);
    connect_modules(*module);
    for (const auto& output : module->file->outputs)
      if (output.from) resolve(*module, *output.from, fmt::format("output '{}'", output.name));
  }
}

std::vector<std::vector<PortBinding>> Connector::connect() {
  connect_modules(*expansion_.pipeline);
  std::vector<std::vector<PortBinding>> bindings;
  for (const auto& step : expansion_.steps) bindings.push_back(connect_step(step));
  return bindings;
}

}  // namespace atelier
