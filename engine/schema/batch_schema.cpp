#include "pipeline/customers.h"
#include "schema/file_schema.h"
#include "schema/schema_parts.h"

namespace atelier {
namespace {

constexpr const char* id_pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]*$";

Schema path_schema() { return described("A file or a folder, relative to this file.", written_text()); }

Schema params_schema(const std::string& description) {
  return described(description, map_from_names(reference_to("value")));
}

Schema id_schema() {
  return described("The customer's id, which begins file names.",
                   {{"type", {"string", "number"}},
                    {"pattern", id_pattern},
                    {"patternErrorMessage", "expects letters, digits, '-', '_' and '.'"},
                    {"maxLength", longest_id},
                    {"minimum", 0},
                    {"not", {{"const", "runs"}}}});
}

Schema customer_schema() {
  Schema schema = map_of({{"id", id_schema()}, {"params", params_schema("This customer's own params.")}}, {"id"});
  schema["additionalProperties"] =
      described("A customer's input: a file or a folder, relative to this file.", written_text());
  return schema;
}

// A list, the path of a CSV file or of a folder, or a map that says which of both: keywords of one type say nothing of
// the others.
Schema customers_schema() {
  return described(
      "Tonight's customers: a list, a CSV file (a column 'id', then names of inputs and params), or a "
      "folder with a sub-folder for each.",
      {{"type", {"array", "object", "string"}},
       {"minLength", 1},
       {"minItems", 1},
       {"items", customer_schema()},
       {"properties", {{"csv", path_schema()}, {"folder", path_schema()}}},
       {"additionalProperties", false},
       {"minProperties", 1},
       {"maxProperties", 1}});
}

}  // namespace

Schema batch_schema() {
  Schema schema = file_head("Atelier batch", "A pipeline, values for it, and tonight's customers.");
  const auto map =
      map_of({{"atelier", format_version_schema()},
              {"pipeline", described("The pipeline file, relative to this file.", written_text())},
              {"name", described("The batch's name; the file's where it is not given.", written_text())},
              {"inputs", described("The pipeline's inputs of scope batch.", map_from_names(path_schema()))},
              {"params", params_schema("Params of the pipeline for all customers.")},
              {"paths", described("Whether paths of a CSV file, of lists of photos and of links may lead out of their "
                                  "folders: inside (they may not) or anywhere.",
                                  {{"enum", {"inside", "anywhere"}}})},
              {"customers", customers_schema()}},
             {"atelier", "pipeline", "customers"});
  schema.update(map);
  schema["definitions"] = {{"value", value_definition()}};
  return schema;
}

}  // namespace atelier
