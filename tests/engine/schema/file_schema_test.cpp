#include "schema/file_schema.h"

#include <gtest/gtest.h>

#include <set>

#include "pipeline/load.h"
#include "support/memory_files.h"
#include "support/test_nodes.h"

namespace atelier {
namespace {

using Names = std::set<std::string>;

Names keys_of(const Schema& schema) {
  Names keys;
  for (const auto& [key, value] : schema["properties"].items()) keys.insert(key);
  return keys;
}

// The names that a sentence of the loader lists: "unknown key 'x'; a step has use, in, with".
Names listed_in(const Mistakes& mistakes, const std::string& owner) {
  const std::string begin = "unknown key 'x'; " + owner + " has ";
  for (const auto& mistake : mistakes) {
    const auto at = mistake.message.find(begin);
    if (at == std::string::npos) continue;
    Names names;
    std::string text = mistake.message.substr(at + begin.size()) + ", ";
    for (auto comma = text.find(", "); comma != std::string::npos; comma = text.find(", ")) {
      names.insert(text.substr(0, comma));
      text.erase(0, comma + 2);
    }
    return names;
  }
  return {};
}

class FileSchema : public testing::Test {
 protected:
  MemoryFiles files;
  NodeRegistry registry = make_test_registry(files);
  Schema pipeline = pipeline_schema(registry);
  Schema batch = batch_schema();
};

TEST_F(FileSchema, APipelineHasTheKeysThatTheLoaderTakes) {
  files.put("/p.yaml",
            "atelier: 1\nx: 1\ninputs: {i: {type: text, x: 1}}\nsteps: {s: {use: count, in: {text: i}, x: 1}}\n"
            "outputs: {o: {from: s, path: o, x: 1}}\n");
  const auto loaded = load_pipeline(files, "/p.yaml", registry);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(keys_of(pipeline), listed_in(loaded.error(), "a pipeline"));
  const Schema& keys = pipeline["properties"];
  EXPECT_EQ(keys_of(keys["inputs"]["additionalProperties"]), listed_in(loaded.error(), "an input"));
  EXPECT_EQ(keys_of(pipeline["definitions"]["step"]), listed_in(loaded.error(), "a step"));
  EXPECT_EQ(keys_of(keys["outputs"]["additionalProperties"]), listed_in(loaded.error(), "an output"));
}

TEST_F(FileSchema, ABatchHasTheKeysThatTheLoaderTakes) {
  files.put("/p.yaml", "atelier: 1\nsteps: {}\n");
  files.put("/b.yaml", "atelier: 1\npipeline: p.yaml\nx: 1\ncustomers: [{id: a, x: 1}]\n");
  const auto customers = load_batch(files, "/b.yaml", registry);
  ASSERT_FALSE(customers);
  EXPECT_EQ(keys_of(batch), listed_in(customers.error(), "a batch"));
  const Schema& places = batch["properties"]["customers"];
  EXPECT_EQ(keys_of(places["items"]), listed_in(customers.error(), "a customer"));
  files.put("/b.yaml", "atelier: 1\npipeline: p.yaml\ncustomers: {x: 1}\n");
  const auto place = load_batch(files, "/b.yaml", registry);
  ASSERT_FALSE(place);
  EXPECT_EQ(keys_of(places), listed_in(place.error(), "'customers'"));
}

TEST_F(FileSchema, AStepHasThePortsAndParamsOfTheNodeThatItUses) {
  EXPECT_EQ(pipeline["definitions"]["node.join"], Schema::parse(R"({
    "required": ["in"],
    "properties": {
      "use": {"description": "join: A node for tests."},
      "in": {
        "description": "Where the ports come from.",
        "type": "object",
        "required": ["parts"],
        "properties": {
          "parts": {
            "description": "Texts.\n\na list of text",
            "type": ["string", "array"],
            "pattern": "^[A-Za-z_][A-Za-z0-9_-]*(\\.[A-Za-z_][A-Za-z0-9_-]*)?$",
            "patternErrorMessage": "expects the name of an input or a step, or 'step.port'",
            "items": {
              "type": "string",
              "pattern": "^[A-Za-z_][A-Za-z0-9_-]*(\\.[A-Za-z_][A-Za-z0-9_-]*)?$",
              "patternErrorMessage": "expects the name of an input or a step, or 'step.port'"
            },
            "minItems": 1
          },
          "header": {
            "description": "A text.\n\ntext; may be left out",
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_-]*(\\.[A-Za-z_][A-Za-z0-9_-]*)?$",
            "patternErrorMessage": "expects the name of an input or a step, or 'step.port'"
          }
        },
        "additionalProperties": false
      },
      "with": {
        "description": "The params.",
        "type": "object",
        "properties": {
          "separator": {"description": "A param.\n\ntext; default \" \"", "default": " ", "type": "string"}
        },
        "additionalProperties": false
      }
    }})"));
}

TEST_F(FileSchema, AParamThatMustBeGivenMakesWithNecessary) {
  const Schema& node = pipeline["definitions"]["node.params"];
  EXPECT_EQ(node["required"], Schema::parse(R"(["in", "with"])"));
  EXPECT_EQ(node["properties"]["with"]["required"], Schema::parse(R"(["label"])"));
}

TEST_F(FileSchema, EveryNodeHasACaseAndModulesHaveOne) {
  const Schema& cases = pipeline["definitions"]["step"]["allOf"];
  Names names;
  for (const auto& one : cases)
    if (const Schema& use = one["if"]["properties"]["use"]; use.contains("const")) {
      names.insert(use["const"].get<std::string>());
      EXPECT_EQ(one["then"]["$ref"], "#/definitions/node." + use["const"].get<std::string>());
    }
  const auto registered = registry.names();
  EXPECT_EQ(names, Names(registered.begin(), registered.end()));
  EXPECT_EQ(cases.size(), registered.size() + 1);
  EXPECT_EQ(cases.back()["then"]["$ref"], "#/definitions/module");
}

// A reference to a definition that is not there would be found by nobody who does not use it.
TEST_F(FileSchema, EveryReferenceLeadsToADefinition) {
  for (const Schema* schema : {&pipeline, &batch}) {
    const Schema flat = schema->flatten();
    int references = 0;
    for (const auto& [place, value] : flat.items()) {
      if (!place.ends_with("/$ref")) continue;
      ++references;
      EXPECT_TRUE(schema->contains(Schema::json_pointer(value.get<std::string>().substr(1)))) << value;
    }
    EXPECT_GT(references, 0);
  }
}

TEST_F(FileSchema, AnInputIsOfATypeOfTheRegistry) {
  EXPECT_EQ(pipeline["properties"]["inputs"]["additionalProperties"]["properties"]["type"]["enum"],
            Schema(registry.type_names()));
}

}  // namespace
}  // namespace atelier
