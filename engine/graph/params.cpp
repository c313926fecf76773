#include "graph/params.h"

#include <fmt/format.h>

#include "base/error.h"

namespace atelier {
namespace {

// An integer given for a number is that number: 1 and 1.0 must make one key.
Value as_declared(ValueType type, const Value& value) {
  return type == ValueType::number && value.is(ValueType::integer) ? Value(value.number()) : value;
}

Value as_declared(const ParamSpec& spec, const Value& value) {
  if (!value.is(ValueType::list)) return as_declared(spec.type, value);
  Value::List all;
  for (const auto& v : value.list()) all.push_back(as_declared(spec.element.value_or(ValueType::text), v));
  return all;
}

}  // namespace

Params::Params(const NodeSpec& spec, std::map<std::string, Value> given) {
  for (const auto& param : spec.params) {
    const auto found = given.find(param.name);
    values_[param.name] = as_declared(param, found == given.end() ? param.value : found->second);
  }
}

const Value& Params::at(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) throw Fault(fmt::format("a node read the param '{}', which it does not declare", name));
  return found->second;
}

std::vector<std::string> Params::texts(std::string_view name) const {
  std::vector<std::string> all;
  for (const auto& v : at(name).list()) all.push_back(v.text());
  return all;
}
std::vector<double> Params::numbers(std::string_view name) const {
  std::vector<double> all;
  for (const auto& v : at(name).list()) all.push_back(v.number());
  return all;
}
std::vector<std::int64_t> Params::integers(std::string_view name) const {
  std::vector<std::int64_t> all;
  for (const auto& v : at(name).list()) all.push_back(v.integer());
  return all;
}

std::map<std::string, Value> Params::in_key(const NodeSpec& spec) const {
  std::map<std::string, Value> some;
  for (const auto& param : spec.params)
    if (param.role == ParamRole::in_key) some[param.name] = at(param.name);
  return some;
}

}  // namespace atelier
