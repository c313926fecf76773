#include "schema/param_line.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

TEST(ParamLine, TellsTypeUnitDefaultRangeAndRole) {
  EXPECT_EQ(param_line({.name = "size",
                        .type = ValueType::integer,
                        .value = 512,
                        .unit = "px",
                        .minimum = 64,
                        .maximum = 4096,
                        .role = ParamRole::execution}),
            "an integer in px; default 512; 64 … 4096; does not change the result");
}

TEST(ParamLine, TellsWhatMustBeGiven) {
  EXPECT_EQ(param_line({.name = "word", .required = true}), "text; must be given");
  EXPECT_EQ(param_line({.name = "alpha", .type = ValueType::number}), "a number; default none");
}

TEST(ParamLine, TellsARangeThatIsOpenAtOneEnd) {
  EXPECT_EQ(param_line({.name = "steps", .type = ValueType::integer, .value = 4, .minimum = 1}),
            "an integer; default 4; >= 1");
  EXPECT_EQ(param_line({.name = "loss", .type = ValueType::number, .value = 0.5, .maximum = 1}),
            "a number; default 0.5; <= 1");
}

TEST(ParamLine, TellsChoicesAndElements) {
  EXPECT_EQ(param_line({.name = "region", .value = "head", .choices = {"face", "head"}}),
            "text; default \"head\"; face | head");
  EXPECT_EQ(param_line({.name = "weights",
                        .type = ValueType::list,
                        .value = Value::List{0.5, 1},
                        .minimum = 0,
                        .element = ValueType::number}),
            "a list, each a number; default [0.5, 1]; >= 0");
  EXPECT_EQ(param_line({.name = "words", .type = ValueType::list, .value = Value::List{}}),
            "a list, each text; default []");
}

}  // namespace
}  // namespace atelier
