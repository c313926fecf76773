#include <fmt/format.h>

#include "pipeline/pipeline.h"
#include "schema/file_schema.h"
#include "schema/schema_parts.h"

namespace atelier {
namespace {

constexpr const char* module_pattern = R"(/|\.ya?ml$)";
constexpr const char* reference_pattern = R"(^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)?$)";
// Below the output folder, and not where the runs are kept.
constexpr const char* output_path_pattern = R"(^(?!/)(?!runs(/|$))(?!(.*/)?\.\.(/|$))(?!.*//))";

Schema source_schema() {
  return {{"type", "string"},
          {"pattern", reference_pattern},
          {"patternErrorMessage", "expects the name of an input or a step, or 'step.port'"}};
}

Schema port_schema(const PortSpec& port) {
  const std::string how = port.many ? "a list of " : "";
  Schema schema = source_schema();
  if (port.many) {
    schema["type"] = {"string", "array"};
    schema["items"] = source_schema();
    schema["minItems"] = 1;
  }
  return described(fmt::format("{}\n\n{}{}{}", port.summary, how, port.type, port.required ? "" : "; may be left out"),
                   std::move(schema));
}

// A map with an entry for each of the specs; those that are required must be there.
template <class Spec, class Describe>
Schema map_of_specs(const std::vector<Spec>& specs, const Describe& describe) {
  Schema properties = Schema::object();
  std::vector<std::string> required;
  for (const auto& spec : specs) {
    properties[spec.name] = describe(spec);
    if (spec.required) required.push_back(spec.name);
  }
  return map_of(std::move(properties), std::move(required));
}

// What a step of the node has beside `use`.
Schema node_schema(const NodeSpec& spec) {
  Schema in = map_of_specs(spec.inputs, port_schema);
  Schema with = map_of_specs(spec.params, param_schema);
  std::vector<std::string> required;
  if (in.contains("required")) required.emplace_back("in");
  if (with.contains("required")) required.emplace_back("with");
  Schema schema;
  if (!required.empty()) schema["required"] = std::move(required);
  schema["properties"] = {{"use", {{"description", fmt::format("{}: {}", spec.name, spec.summary)}}},
                          {"in", described("Where the ports come from.", std::move(in))},
                          {"with", described("The params.", std::move(with))}};
  return schema;
}

Schema module_schema() {
  return {{"properties",
           {{"use", {{"description", "A pipeline file as a module, relative to this file."}}},
            {"in", described("Where the module's inputs come from.", map_from_names(source_schema()))},
            {"with", described("The module's params.", map_from_names(reference_to("given")))}}}};
}

Schema when_used(Schema use, Schema rest) {
  return {{"if", {{"required", {"use"}}, {"properties", {{"use", std::move(use)}}}}}, {"then", std::move(rest)}};
}

Schema use_schema(const NodeRegistry& registry) {
  std::vector<std::string> summaries;
  for (const auto& name : registry.names()) summaries.push_back(registry.find(name)->spec().summary);
  return {{"anyOf",
           {{{"enum", registry.names()}, {"enumDescriptions", std::move(summaries)}},
            {{"type", "string"}, {"pattern", module_pattern}}}}};
}

Schema step_schema(const NodeRegistry& registry) {
  Schema step = map_of({{"use", use_schema(registry)},
                        {"in", {{"type", "object"}}},
                        {"with", {{"type", "object"}}},
                        {"retries", described("How often a task is tried again after a failure that may pass; of a "
                                              "module: each of its steps. Otherwise as `atelier run --retries` says.",
                                              {{"type", "integer"}, {"minimum", 0}, {"maximum", most_retries}})},
                        {"timeout", described("What each try of a task may take, as in 90s, 30m or 2h; then it is "
                                              "stopped, a training at a checkpoint, and tried again.",
                                              {{"type", "string"}, {"pattern", R"(^[0-9.]+ *[smhdw]$)"}})}},
                       {"use"});
  Schema cases = Schema::array();
  for (const auto& name : registry.names()) cases.push_back(when_used({{"const", name}}, reference_to("node." + name)));
  cases.push_back(when_used({{"type", "string"}, {"pattern", module_pattern}}, reference_to("module")));
  step["allOf"] = std::move(cases);
  return step;
}

Schema input_schema(const NodeRegistry& registry) {
  return map_of({{"type", described("What the files are.", {{"enum", registry.type_names()}})},
                 {"scope", described("customer: each customer has one; batch: the same for every customer.",
                                     {{"enum", {"batch", "customer"}}, {"default", "customer"}})}},
                {"type"});
}

Schema output_schema() {
  return map_of(
      {{"from", described("A step with one output, or 'step.port'.", source_schema())},
       {"path",
        described("Where it is written, below the output folder; '${customer}' stands for the customer's id. An "
                  "output of a module has none.",
                  {{"type", "string"},
                   {"minLength", 1},
                   {"pattern", output_path_pattern},
                   {"patternErrorMessage", "expects a path below the output folder, and not in 'runs'"}})}},
      {"from"});
}

// A map whose names are not among those that mean something else.
Schema map_without(std::vector<std::string> taken, Schema of_each) {
  Schema map = map_from_names(std::move(of_each));
  map["propertyNames"]["not"] = {{"enum", std::move(taken)}};
  return map;
}

Schema definitions(const NodeRegistry& registry) {
  Schema all{{"value", value_definition()},
             {"given", {{"type", {"boolean", "number", "string", "array"}}, {"items", reference_to("given")}}},
             {"step", step_schema(registry)},
             {"module", module_schema()}};
  for (const auto& name : registry.names()) all["node." + name] = node_schema(registry.find(name)->spec());
  return all;
}

}  // namespace

Schema pipeline_schema(const NodeRegistry& registry) {
  Schema schema = file_head("Atelier pipeline", "Inputs, params, steps and outputs; a module is written alike.");
  const auto map = map_of(
      {{"atelier", format_version_schema()},
       {"name", described("The pipeline's name; the file's where it is not given.", written_text())},
       {"params", described("Values that steps take as '${name}'; a param's type is its default's.",
                            map_without({"customer"}, reference_to("value")))},
       {"inputs",
        described("What comes from outside.", map_without({"id", "params", "inputs"}, input_schema(registry)))},
       {"steps", described("Each uses a node, or a pipeline file as a module.", map_from_names(reference_to("step")))},
       {"outputs", described("What is written, and where.", map_from_names(output_schema()))}},
      {"atelier", "steps"});
  schema.update(map);
  schema["definitions"] = definitions(registry);
  return schema;
}

}  // namespace atelier
