#include "schema/param_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace atelier {
namespace {

std::string type_of(const ParamSpec& param) {
  if (param.type != ValueType::list) return std::string(name_of(param.type));
  return fmt::format("a list, each {}", name_of(param.element.value_or(ValueType::text)));
}

std::string range_of(const ParamSpec& param) {
  if (!param.choices.empty()) return fmt::format("; {}", fmt::join(param.choices, " | "));
  if (param.minimum && param.maximum) return fmt::format("; {} … {}", *param.minimum, *param.maximum);
  if (param.minimum) return fmt::format("; >= {}", *param.minimum);
  if (param.maximum) return fmt::format("; <= {}", *param.maximum);
  return "";
}

}  // namespace

std::string param_line(const ParamSpec& param) {
  return fmt::format("{}{}; {}{}{}", type_of(param), param.unit.empty() ? "" : " in " + param.unit,
                     param.required ? "must be given" : "default " + param.value.show(), range_of(param),
                     param.role == ParamRole::execution ? "; does not change the result" : "");
}

}  // namespace atelier
