#include "pipeline_builder.h"

#include <algorithm>
#include <stdexcept>

namespace atelier {
namespace {

Template parse_template(const std::string& text) {
  Template result;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto begin = text.find("${", at);
    if (begin != at) result.pieces.push_back({text.substr(at, begin - at), false});
    if (begin == std::string::npos) break;
    const auto end = text.find('}', begin);
    result.pieces.push_back({text.substr(begin + 2, end - begin - 2), true});
    at = end + 1;
  }
  result.exact = result.pieces.size() == 1 && result.pieces.front().is_name;
  return result;
}

bool has_name(const Value& value) {
  if (value.is(ValueType::text)) return value.text().find("${") != std::string::npos;
  return value.is(ValueType::list) && std::ranges::any_of(value.list(), has_name);
}

Expression expression_of(const Value& value) {
  Expression expression;
  if (!has_name(value)) {
    expression.value = value;
  } else if (value.is(ValueType::text)) {
    expression.text.push_back(parse_template(value.text()));
  } else {
    expression.is_list = true;
    for (const auto& part : value.list()) expression.parts.push_back(expression_of(part));
  }
  return expression;
}

bool names_customer(const Value& value) {
  if (value.is(ValueType::text)) return value.text().find("${customer}") != std::string::npos;
  return value.is(ValueType::list) && std::ranges::any_of(value.list(), names_customer);
}

}  // namespace

PipelineBuilder::PipelineBuilder(const NodeRegistry& registry, std::string name) : registry_(registry) {
  pipeline_.name = std::move(name);
}

PipelineBuilder& PipelineBuilder::param(std::string name, Value value) {
  pipeline_.params.push_back({std::move(name), std::move(value), {}});
  return *this;
}

PipelineBuilder& PipelineBuilder::input(std::string name, const std::string& type, Scope scope) {
  pipeline_.inputs.push_back({std::move(name), registry_.find_type(type), scope, {}});
  return *this;
}

Source PipelineBuilder::source(const std::string& name) const {
  const std::string step = name.substr(0, name.find('.'));
  for (std::size_t i = 0; i < pipeline_.inputs.size(); ++i)
    if (pipeline_.inputs[i].name == name) return {Source::Kind::input, i, ""};
  for (std::size_t i = 0; i < pipeline_.steps.size(); ++i)
    if (pipeline_.steps[i].name == step) {
      const bool has_port = step.size() < name.size();
      const std::string port =
          has_port ? name.substr(step.size() + 1) : pipeline_.steps[i].node->spec().outputs[0].name;
      return {Source::Kind::step, i, port};
    }
  throw std::invalid_argument("no such source: " + name);
}

Scope PipelineBuilder::scope_of(const Source& source) const {
  return source.kind == Source::Kind::input ? pipeline_.inputs[source.index].scope
                                            : pipeline_.steps[source.index].scope;
}

PipelineBuilder& PipelineBuilder::step(std::string name, const std::string& node, const Ports& in, const With& with) {
  PipelineStep step;
  step.name = std::move(name);
  step.node = registry_.find(node);
  for (const auto& port : step.node->spec().inputs) {
    const auto given = std::ranges::find(in, port.name, [](const auto& one) { return one.first; });
    if (given == in.end()) continue;
    PortBinding binding{&port, {}};
    for (const auto& from : given->second) {
      binding.sources.push_back(source(from));
      if (scope_of(binding.sources.back()) == Scope::customer) step.scope = Scope::customer;
    }
    step.inputs.push_back(std::move(binding));
  }
  for (const auto& [param, value] : with) {
    step.params.push_back({step.node->spec().param(param), expression_of(value), {}});
    if (names_customer(value)) step.scope = Scope::customer;
  }
  pipeline_.steps.push_back(std::move(step));
  return *this;
}

PipelineBuilder& PipelineBuilder::output(std::string name, const std::string& from, const std::string& path) {
  const Source made_by = source(from);
  const PortSpec* port = pipeline_.steps[made_by.index].node->spec().output(made_by.port);
  pipeline_.outputs.push_back({std::move(name),
                               made_by.index,
                               made_by.port,
                               registry_.find_type(port->type),
                               parse_template(path),
                               pipeline_.steps[made_by.index].scope,
                               {}});
  return *this;
}

}  // namespace atelier
