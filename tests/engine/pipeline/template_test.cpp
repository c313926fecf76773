#include "pipeline/template.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "pipeline/draw.h"

namespace atelier {
namespace {

Expression expression_of(std::string_view text) {
  Expression expression;
  expression.text.push_back(parse_template(text).value());
  return expression;
}
Expression constant(Value value) {
  Expression expression;
  expression.value = std::move(value);
  return expression;
}
Expression list_of(std::vector<Expression> parts) {
  Expression expression;
  expression.is_list = true;
  expression.parts = std::move(parts);
  return expression;
}

const ParamValues values{{"steps", Value(80)},
                         {"share", Value(0.6)},
                         {"on", Value(true)},
                         {"word", Value("sks")},
                         {"names", Value(Value::List{Value("a"), Value("b")})},
                         {"customer", Value("anna")}};

TEST(Template, ANameAloneTakesItsType) {
  EXPECT_EQ(evaluate(expression_of("${steps}"), values), Value(80));
  EXPECT_EQ(evaluate(expression_of("${share}"), values), Value(0.6));
  EXPECT_EQ(evaluate(expression_of("${names}"), values), values.at("names"));
}

TEST(Template, WithinATextAValueBecomesText) {
  EXPECT_EQ(evaluate(expression_of("${word} at ${steps}, ${share}, ${on}"), values), Value("sks at 80, 0.6, true"));
  EXPECT_EQ(evaluate(expression_of("${steps}${steps}"), values), Value("8080"));
  EXPECT_EQ(evaluate(expression_of(" ${steps}"), values), Value(" 80"));
}

TEST(Template, TwoDollarsAndABraceAreText) {
  EXPECT_EQ(evaluate(*parse_template("$${steps} $$ $ ${steps}$"), values), "${steps} $$ $ 80$");
  EXPECT_EQ(evaluate(*parse_template("$${"), values), "${");
}

TEST(Template, WhatIsNotClosedOrNoNameIsRefused) {
  EXPECT_EQ(parse_template("a ${b").error(), "'${b' is not closed; expected '${name}', or '$${' for the text '${'");
  EXPECT_EQ(parse_template("${}").error(), "'${}' holds no name; expected '${name}', or '$${' for the text '${'");
  EXPECT_EQ(parse_template("${a.b}").error(), "'${a.b}' holds no name; expected '${name}', or '$${' for the text '${'");
}

TEST(Template, NamesAreEachOnceInOrder) {
  EXPECT_EQ(names_in(expression_of("${b} ${a} ${b}")), (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(uses(list_of({constant(1), expression_of("-${customer}")}), "customer"));
  EXPECT_FALSE(uses(expression_of("$${customer}"), "customer"));
}

TEST(Template, AListIsReplacedElementByElement) {
  EXPECT_EQ(evaluate(list_of({constant("x"), expression_of("${steps}"), list_of({expression_of("${word}!")})}), values),
            Value(Value::List{Value("x"), Value(80), Value(Value::List{Value("sks!")})}));
}

TEST(Template, ThroughAModuleANameStandsForWhatItWasGiven) {
  const Expression outer = expression_of("the ${word}"), number = constant(7), exact = expression_of("${steps}");
  const Meaning meaning = [&](std::string_view name) -> const Expression* {
    if (name == "trigger") return &outer;
    if (name == "n") return &number;
    return name == "size" ? &exact : nullptr;
  };
  EXPECT_EQ(show(compose(expression_of("${trigger} of ${customer}, ${n}"), meaning)->text.front()),
            "the ${word} of ${customer}, 7");
  EXPECT_EQ(evaluate(*compose(expression_of("${size}"), meaning), values), Value(80));
  EXPECT_EQ(compose(expression_of("${n}"), meaning)->value, Value(7));
  EXPECT_EQ(compose(expression_of("n=${n}"), meaning)->value, Value("n=7"));
  EXPECT_EQ(evaluate(*compose(list_of({expression_of("${trigger}")}), meaning), values),
            Value(Value::List{Value("the sks")}));
}

TEST(Template, AListDoesNotGoIntoAText) {
  const Expression list = list_of({expression_of("${word}")}), constant_list = constant(Value(Value::List{}));
  const Meaning meaning = [&](std::string_view name) { return name == "a" ? &list : &constant_list; };
  EXPECT_FALSE(compose(expression_of("x${a}"), meaning));
  EXPECT_FALSE(compose(expression_of("x${b}"), meaning));
  EXPECT_TRUE(compose(expression_of("${a}"), meaning));
}

TEST(Template, ANameWithoutValueIsAFaultOfTheProgram) {
  EXPECT_THROW(evaluate(expression_of("${nobody}"), values), Fault);
  EXPECT_THROW(evaluate(expression_of("x${names}"), values), Fault);
}

}  // namespace
}  // namespace atelier
