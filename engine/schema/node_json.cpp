#include "schema/node_json.h"

namespace atelier {
namespace {

std::string_view id_of(Keep keep) {
  switch (keep) {
    case Keep::always:
      return "always";
    case Keep::while_needed:
      return "while_needed";
    case Keep::recipe:
      break;
  }
  return "recipe";
}

nlohmann::json input_json(const PortSpec& port) {
  return {{"name", port.name},
          {"type", port.type},
          {"many", port.many},
          {"required", port.required},
          {"summary", port.summary}};
}

nlohmann::json output_json(const PortSpec& port) {
  return {{"name", port.name}, {"type", port.type}, {"aside", port.aside}, {"summary", port.summary}};
}

nlohmann::json param_json(const ParamSpec& param) {
  nlohmann::json json{{"name", param.name},
                      {"type", id_of(param.type)},
                      {"default", param.value.json()},
                      {"unit", param.unit},
                      {"summary", param.summary},
                      {"required", param.required},
                      {"in_key", param.role == ParamRole::in_key}};
  if (param.type == ValueType::list) json["element"] = id_of(param.element.value_or(ValueType::text));
  if (param.minimum) json["minimum"] = *param.minimum;
  if (param.maximum) json["maximum"] = *param.maximum;
  if (!param.choices.empty()) json["choices"] = param.choices;
  return json;
}

template <class Spec, class Describe>
nlohmann::json all_of(const std::vector<Spec>& specs, const Describe& describe) {
  auto list = nlohmann::json::array();
  for (const auto& spec : specs) list.push_back(describe(spec));
  return list;
}

}  // namespace

std::string_view id_of(ValueType type) noexcept {
  switch (type) {
    case ValueType::boolean:
      return "boolean";
    case ValueType::integer:
      return "integer";
    case ValueType::number:
      return "number";
    case ValueType::text:
      return "text";
    case ValueType::list:
      break;
  }
  return "list";
}

nlohmann::json node_json(const NodeSpec& spec) {
  return {{"name", spec.name},
          {"summary", spec.summary},
          {"version", spec.version},
          {"place", spec.place == Place::device ? "device" : "cpu"},
          {"keep", id_of(spec.keep)},
          {"gang_size", spec.gang_size},
          {"inputs", all_of(spec.inputs, input_json)},
          {"outputs", all_of(spec.outputs, output_json)},
          {"params", all_of(spec.params, param_json)}};
}

}  // namespace atelier
