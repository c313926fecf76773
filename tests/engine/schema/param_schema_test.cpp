#include "schema/param_schema.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

Schema parsed(const char* text) { return Schema::parse(text); }

TEST(ParamSchema, AnIntegerHasItsRangeItsManualAndATemplateInItsPlace) {
  EXPECT_EQ(param_schema({.name = "size",
                          .type = ValueType::integer,
                          .value = 512,
                          .summary = "Side of the photos.",
                          .unit = "px",
                          .minimum = 64,
                          .maximum = 4096}),
            parsed(R"({
    "description": "Side of the photos.\n\nan integer in px; default 512; 64 … 4096",
    "default": 512,
    "type": ["integer", "string"],
    "pattern": "^\\$\\{[A-Za-z_][A-Za-z0-9_-]*\\}$",
    "patternErrorMessage": "expects an integer from 64 to 4096, or \"${param}\"",
    "minimum": 64,
    "maximum": 4096})"));
}

TEST(ParamSchema, ABoundThatIsNotWholeStaysSo) {
  const auto schema = param_schema({.name = "share", .type = ValueType::number, .minimum = 0, .maximum = 0.99999});
  EXPECT_EQ(schema["type"], parsed(R"(["number", "string"])"));
  EXPECT_EQ(schema["minimum"].dump(), "0");
  EXPECT_EQ(schema["maximum"].dump(), "0.99999");
  EXPECT_FALSE(schema.contains("default"));
}

TEST(ParamSchema, ABooleanMayBeATemplateAndNoOtherText) {
  const auto schema = param_schema({.name = "flag", .type = ValueType::boolean, .value = false});
  EXPECT_EQ(schema["type"], parsed(R"(["boolean", "string"])"));
  EXPECT_EQ(schema["default"], false);
  EXPECT_EQ(schema["patternErrorMessage"], "expects true or false, or \"${param}\"");
}

TEST(ParamSchema, ATextIsAnyTextOrAChoiceOrOneThatATemplateMakes) {
  EXPECT_EQ(param_schema({.name = "mark", .value = "!", .summary = "A mark."}),
            parsed(R"({"description": "A mark.\n\ntext; default \"!\"", "default": "!", "type": "string"})"));
  EXPECT_EQ(param_schema({.name = "region", .value = "head", .choices = {"face", "head"}})["anyOf"], parsed(R"([
    {"enum": ["face", "head"]},
    {"type": "string", "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_-]*\\}"}])"));
}

TEST(ParamSchema, TheElementsOfAListHaveItsRangeOrItsChoices) {
  const auto weights = param_schema({.name = "weights",
                                     .type = ValueType::list,
                                     .value = Value::List{1},
                                     .minimum = 0,
                                     .maximum = 2,
                                     .element = ValueType::number});
  EXPECT_EQ(weights["type"], parsed(R"(["array", "string"])"));
  EXPECT_EQ(weights["default"], parsed("[1]"));
  EXPECT_FALSE(weights.contains("minimum"));
  EXPECT_EQ(weights["patternErrorMessage"], "expects a list, each a number from 0 to 2, or \"${param}\"");
  EXPECT_EQ(weights["items"]["type"], parsed(R"(["number", "string"])"));
  EXPECT_EQ(weights["items"]["maximum"], 2);
  const auto colors = param_schema({.name = "colors", .type = ValueType::list, .choices = {"red", "blue"}});
  EXPECT_EQ(colors["items"]["anyOf"][0]["enum"], parsed(R"(["red", "blue"])"));
}

}  // namespace
}  // namespace atelier
