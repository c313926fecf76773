#include "graph/node_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>

namespace atelier {
namespace {

template <class T>
const T* named(const std::vector<T>& all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &T::name);
  return found == all.end() ? nullptr : &*found;
}

bool has_type(const Value& value, ValueType wanted) {
  return value.is(wanted) || (wanted == ValueType::number && value.is(ValueType::integer));
}

bool in_range(const ParamSpec& spec, const Value& value) {
  if (!value.is(ValueType::integer) && !value.is(ValueType::number)) return true;
  const double x = value.number();
  return (!spec.minimum || x >= *spec.minimum) && (!spec.maximum || x <= *spec.maximum);
}

std::string expectation(const ParamSpec& spec, ValueType type) {
  if (!spec.choices.empty()) return fmt::format("one of {}", fmt::join(spec.choices, ", "));
  std::string text(name_of(type));
  if (spec.minimum && spec.maximum)
    text += fmt::format(" from {} to {}", *spec.minimum, *spec.maximum);
  else if (spec.minimum)
    text += fmt::format(" of at least {}", *spec.minimum);
  else if (spec.maximum)
    text += fmt::format(" of at most {}", *spec.maximum);
  return text;
}

bool fits(const ParamSpec& spec, ValueType type, const Value& value) {
  if (!has_type(value, type) || !in_range(spec, value)) return false;
  return spec.choices.empty() || type != ValueType::text || std::ranges::count(spec.choices, value.text()) > 0;
}

}  // namespace

const PortSpec* NodeSpec::input(std::string_view port) const { return named(inputs, port); }
const PortSpec* NodeSpec::output(std::string_view port) const { return named(outputs, port); }
const ParamSpec* NodeSpec::param(std::string_view param_name) const { return named(params, param_name); }

const PortSpec* NodeSpec::main_output() const {
  const auto first = std::ranges::find(outputs, false, &PortSpec::aside);
  return std::ranges::count(outputs, false, &PortSpec::aside) == 1 ? &*first : nullptr;
}

std::string mismatch(const ParamSpec& spec, const Value& value) {
  if (spec.type != ValueType::list)
    return fits(spec, spec.type, value) ? "" : "expects " + expectation(spec, spec.type);
  const ValueType element = spec.element.value_or(ValueType::text);
  const bool good = value.is(ValueType::list) &&
                    std::ranges::all_of(value.list(), [&](const Value& v) { return fits(spec, element, v); });
  return good ? "" : fmt::format("expects a list, each {}", expectation(spec, element));
}

}  // namespace atelier
