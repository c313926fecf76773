#include "schema/param_schema.h"

#include <fmt/format.h>

#include <cmath>

#include "schema/param_line.h"

namespace atelier {
namespace {

constexpr const char* exact_template = R"(^\$\{[A-Za-z_][A-Za-z0-9_-]*\}$)";
constexpr const char* holds_template = R"(\$\{[A-Za-z_][A-Za-z0-9_-]*\})";

// 1 and not 1.0, where it is whole and exact.
Schema bound(double value) {
  constexpr double exact_below = 9007199254740992.0;  // 2^53
  if (std::floor(value) == value && std::abs(value) < exact_below) return static_cast<std::int64_t>(value);
  return value;
}

ParamSpec element_of(const ParamSpec& list) {
  ParamSpec element = list;
  element.type = list.element.value_or(ValueType::text);
  element.element.reset();
  return element;
}

// A value of the JSON type, or a template that stands for one.
Schema typed(const ParamSpec& param, const char* type) {
  Schema schema{{"type", {type, "string"}}, {"pattern", exact_template}};
  // Editors show it in place of the pattern.
  schema["patternErrorMessage"] = fmt::format("{}, or \"${{param}}\"", mismatch(param, Value()));
  return schema;
}

Schema numeric(const ParamSpec& param, const char* type) {
  Schema schema = typed(param, type);
  if (param.minimum) schema["minimum"] = bound(*param.minimum);
  if (param.maximum) schema["maximum"] = bound(*param.maximum);
  return schema;
}

Schema text(const ParamSpec& param) {
  if (param.choices.empty()) return {{"type", "string"}};
  return {{"anyOf", {{{"enum", param.choices}}, {{"type", "string"}, {"pattern", holds_template}}}}};
}

Schema value_schema(const ParamSpec& param) {
  switch (param.type) {
    case ValueType::boolean:
      return typed(param, "boolean");
    case ValueType::integer:
      return numeric(param, "integer");
    case ValueType::number:
      return numeric(param, "number");
    case ValueType::text:
      return text(param);
    case ValueType::list:
      break;
  }
  Schema schema = typed(param, "array");
  schema["items"] = value_schema(element_of(param));
  return schema;
}

}  // namespace

Schema param_schema(const ParamSpec& param) {
  Schema schema{{"description", fmt::format("{}\n\n{}", param.summary, param_line(param))}};
  if (!param.value.absent()) schema["default"] = param.value.json();
  schema.update(value_schema(param));
  return schema;
}

}  // namespace atelier
