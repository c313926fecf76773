#include "pipeline/scalar.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

Value plain(std::string_view text) { return plain_scalar(text).value_or(Value()); }
std::string refusal(std::string_view text) {
  const auto value = plain_scalar(text);
  return value ? "" : value.error();
}

TEST(Scalar, TrueAndFalseAreBooleans) {
  EXPECT_EQ(plain("true"), Value(true));
  EXPECT_EQ(plain("false"), Value(false));
}

TEST(Scalar, DecimalDigitsAreIntegers) {
  EXPECT_EQ(plain("0"), Value(0));
  EXPECT_EQ(plain("-3"), Value(-3));
  EXPECT_EQ(plain("+60"), Value(60));
  EXPECT_EQ(plain("-9223372036854775808"), Value(std::numeric_limits<std::int64_t>::min()));
}

TEST(Scalar, APointOrAnExponentMakesANumber) {
  EXPECT_EQ(plain("0.5"), Value(0.5));
  EXPECT_EQ(plain(".5"), Value(0.5));
  EXPECT_EQ(plain("5."), Value(5.0));
  EXPECT_EQ(plain("1e-4"), Value(1e-4));
  EXPECT_EQ(plain("-1.5E+2"), Value(-150.0));
}

TEST(Scalar, AnythingElseIsText) {
  for (const char* text : {"sks", "a b", "1.2.3", "12:30", "2026-11-21", "-", "+", ".", "e5", "1e", "1e+", "y", "n",
                           "truely", "0x", "0xyz", "_1", "1 2", "é"})
    EXPECT_EQ(plain(text), Value(text)) << text;
}

TEST(Scalar, WhatOtherReadersTakeForBooleansIsRefused) {
  EXPECT_EQ(refusal("no"), "no could mean a boolean or a text; expected true, false or quotes");
  for (const char* text : {"yes", "Yes", "NO", "on", "Off", "True", "FALSE"}) EXPECT_NE(refusal(text), "") << text;
}

TEST(Scalar, NothingIsNoValue) {
  EXPECT_EQ(refusal("~"), "~ is no value; expected one, or the key left out");
  EXPECT_EQ(refusal("Null"), "Null is no value; expected one, or the key left out");
}

TEST(Scalar, NumbersThatOthersReadDifferentlyAreRefused) {
  EXPECT_EQ(refusal("010"), "010 begins with a zero; expected a decimal number, or quotes around a text");
  EXPECT_EQ(refusal("-007.5"), "-007.5 begins with a zero; expected a decimal number, or quotes around a text");
  EXPECT_EQ(refusal("0x1F"), "0x1F could mean a number or a text; expected a decimal number, or quotes around a text");
  for (const char* text : {"0o17", "0b101", "1_000", "-0x10", "1_0.5"}) EXPECT_NE(refusal(text), "") << text;
}

TEST(Scalar, NumbersThatDoNotFitAreRefused) {
  EXPECT_EQ(refusal("9223372036854775808"), "9223372036854775808 is too large; expected an integer of 64 bits");
  EXPECT_EQ(refusal("1e999"), "1e999 is out of range; expected a number of 64 bits");
  EXPECT_EQ(refusal(".inf"), ".inf is no finite number; expected one, or quotes around a text");
  EXPECT_NE(refusal("-.Inf"), "");
  EXPECT_NE(refusal(".NaN"), "");
}

TEST(Scalar, AnIntegerServesAsANumberAndBecomesOne) {
  EXPECT_TRUE(fits(Value(0.5), Value(1)));
  EXPECT_FALSE(fits(Value(1), Value(0.5)));
  EXPECT_EQ(as_type_of(Value(0.5), Value(1)), Value(1.0));
}

TEST(Scalar, AListFitsWhereEveryElementDoes) {
  const Value numbers(Value::List{Value(1), Value(0.5)});
  EXPECT_TRUE(fits(numbers, Value(Value::List{Value(2)})));
  EXPECT_FALSE(fits(numbers, Value(Value::List{Value("a")})));
  EXPECT_TRUE(fits(Value(Value::List{}), Value(Value::List{Value("a"), Value(1)})));
  EXPECT_EQ(as_type_of(numbers, Value(Value::List{Value(2)})), Value(Value::List{Value(2.0)}));
  EXPECT_EQ(expectation(numbers), "a list, each a number");
}

TEST(Scalar, WhatIsWrittenOutsideOfYamlIsReadAsTheDefaultsType) {
  EXPECT_EQ(value_as(Value(1), "80"), Value(80));
  EXPECT_EQ(value_as(Value(0.5), "1"), Value(1.0));
  EXPECT_EQ(value_as(Value(false), "true"), Value(true));
  EXPECT_EQ(value_as(Value(Value::List{Value("a")}), "[b, \"c d\"]"), Value(Value::List{Value("b"), Value("c d")}));
  EXPECT_EQ(value_as(Value(Value::List{}), "[]"), Value(Value::List{}));
}

TEST(Scalar, TextOutsideOfYamlIsTakenAsItStands) {
  for (const char* text : {"010", "no", "a: b", "{", "# x", "", "true", "it's"})
    EXPECT_EQ(value_as(Value("default"), text), Value(text)) << text;
  EXPECT_EQ(value_as(Value("default"), "\"a b\""), Value("a b"));
}

TEST(Scalar, WhatDoesNotFitOutsideOfYamlIsTold) {
  EXPECT_EQ(value_as(Value(1), "abc").error(), "expects an integer, is abc");
  EXPECT_EQ(value_as(Value(1), "").error(), "expects an integer, is ");
  EXPECT_EQ(value_as(Value(1), "{a: 1}").error(), "expects an integer, is {a: 1}");
  EXPECT_EQ(value_as(Value("x"), "\"a").error(), "expects text, is \"a");
}

}  // namespace
}  // namespace atelier
