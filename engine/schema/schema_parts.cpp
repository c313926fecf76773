#include "schema/schema_parts.h"

namespace atelier {
namespace {

constexpr const char* name_pattern = "^[A-Za-z_][A-Za-z0-9_-]*$";
constexpr const char* no_template = R"(^([^$]|\$(?!\{))*$)";

}  // namespace

Schema map_of(Schema properties, std::vector<std::string> required) {
  Schema schema{{"type", "object"}};
  if (!required.empty()) schema["required"] = std::move(required);
  schema["properties"] = std::move(properties);
  schema["additionalProperties"] = false;
  return schema;
}

Schema map_from_names(Schema of_each) {
  return {
      {"type", "object"}, {"propertyNames", {{"pattern", name_pattern}}}, {"additionalProperties", std::move(of_each)}};
}

Schema described(const std::string& description, Schema schema) {
  Schema result{{"description", description}};
  if (schema.contains("$ref"))
    result["allOf"] = Schema::array({std::move(schema)});
  else
    result.update(schema);
  return result;
}

Schema reference_to(const std::string& definition) { return {{"$ref", "#/definitions/" + definition}}; }

Schema value_definition() {
  return {{"type", {"boolean", "number", "string", "array"}},
          {"pattern", no_template},
          {"patternErrorMessage", "'${…}' is not replaced here; expected a value"},
          {"items", reference_to("value")}};
}

Schema written_text() { return {{"type", {"string", "number"}}, {"minLength", 1}}; }

Schema file_head(const std::string& title, const std::string& description) {
  return {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", title}, {"description", description}};
}

Schema format_version_schema() { return described("The version of the format.", {{"const", 1}}); }

}  // namespace atelier
