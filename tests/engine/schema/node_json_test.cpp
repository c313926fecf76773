#include "schema/node_json.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

using nlohmann::json;

TEST(NodeJson, HasAllOfTheSpec) {
  const NodeSpec spec{
      .name = "train",
      .summary = "Trains.",
      .version = 3,
      .place = Place::device,
      .keep = Keep::recipe,
      .gang_size = 4,
      .inputs = {{"base", "model", "The base.", false, true}, {"sets", "dataset", "Sets.", true, false}},
      .outputs = {{"lora", "lora", "The LoRA."}, {"seen", "pictures", "Pictures.", false, true, true}},
      .params = {{.name = "rank",
                  .type = ValueType::integer,
                  .value = 32,
                  .summary = "The rank.",
                  .unit = "rows",
                  .minimum = 1,
                  .maximum = 1024}}};
  EXPECT_EQ(node_json(spec), json::parse(R"({
    "name": "train", "summary": "Trains.", "version": 3, "place": "device", "keep": "recipe", "gang_size": 4,
    "inputs": [
      {"name": "base", "type": "model", "many": false, "required": true, "summary": "The base."},
      {"name": "sets", "type": "dataset", "many": true, "required": false, "summary": "Sets."}],
    "outputs": [
      {"name": "lora", "type": "lora", "aside": false, "summary": "The LoRA."},
      {"name": "seen", "type": "pictures", "aside": true, "summary": "Pictures."}],
    "params": [
      {"name": "rank", "type": "integer", "default": 32, "unit": "rows", "summary": "The rank.", "required": false,
       "in_key": true, "minimum": 1.0, "maximum": 1024.0}]})"));
}

NodeSpec empty_spec() { return {"n", "", 1, Place::cpu, Keep::always, 1, {}, {}, {}}; }

json params_json(std::vector<ParamSpec> params) {
  NodeSpec spec = empty_spec();
  spec.params = std::move(params);
  return node_json(spec)["params"];
}

TEST(NodeJson, TellsTheTypeOfEveryParam) {
  const json params =
      params_json({{.name = "b", .type = ValueType::boolean, .value = true},
                   {.name = "n", .type = ValueType::number, .value = 0.5},
                   {.name = "t", .value = "x"},
                   {.name = "l", .type = ValueType::list, .value = Value::List{1}, .element = ValueType::integer},
                   {.name = "w", .type = ValueType::list, .value = Value::List{}}});
  EXPECT_EQ(params[0]["type"], "boolean");
  EXPECT_EQ(params[1]["type"], "number");
  EXPECT_EQ(params[2]["type"], "text");
  EXPECT_EQ(params[3]["type"], "list");
  EXPECT_EQ(params[3]["element"], "integer");
  EXPECT_EQ(params[3]["default"], json::array({1}));
  EXPECT_EQ(params[4]["element"], "text");
  for (const char* key : {"element", "minimum", "maximum", "choices"}) EXPECT_FALSE(params[0].contains(key)) << key;
}

TEST(NodeJson, TellsChoicesRoleAndWhatMustBeGiven) {
  const json params = params_json({{.name = "region", .value = "head", .choices = {"face", "head"}},
                                   {.name = "word", .required = true, .role = ParamRole::execution}});
  EXPECT_EQ(params[0]["choices"], json::array({"face", "head"}));
  EXPECT_EQ(params[0]["required"], false);
  EXPECT_EQ(params[1]["required"], true);
  EXPECT_EQ(params[1]["in_key"], false);
  EXPECT_EQ(params[1]["default"], nullptr);
}

TEST(NodeJson, TellsPlaceAndKeep) {
  NodeSpec spec = empty_spec();
  EXPECT_EQ(node_json(spec)["place"], "cpu");
  EXPECT_EQ(node_json(spec)["keep"], "always");
  spec.keep = Keep::while_needed;
  EXPECT_EQ(node_json(spec)["keep"], "while_needed");
}

}  // namespace
}  // namespace atelier
