// pipeline: what a scalar of a file means. Types are strict:
//
//   true, false                        booleans
//   60, -3                             integers, decimal, 64 bits
//   0.5, .5, 1e-4                      numbers; an integer serves as one
//   "…", '…', a block text             text, whatever it holds
//   anything else                      text
//
// What other readers of YAML take for something else than it looks like is refused without quotes: yes, no, on, off and
// True (booleans there), ~ and null (nothing), 010 and 0o17 (octal), 0x1F, 1_000, .inf and .nan. Ids, names and paths
// are always text and taken as they are written.
#pragma once
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "graph/value.h"

namespace atelier {

// The value of a scalar without quotes; the error is a sentence that begins with the scalar.
tl::expected<Value, std::string> plain_scalar(std::string_view text);

// Whether `value` may stand for a param whose default is `model`: the same type, an integer for a number; a list where
// each element may stand for the first of the default's.
bool fits(const Value& model, const Value& value);
// The value as the default's type: an integer given for a number is that number.
Value as_type_of(const Value& model, const Value& value);
// "an integer", "a list, each a number": what a param with this default expects.
std::string expectation(const Value& model);

// A value written outside of YAML, in a cell or after `--set name=`, read as the default's type wants it: text is taken
// as it stands, or as its content where it stands in quotes; a list is `[a, b]`. The error is "expects an integer, is
// abc".
tl::expected<Value, std::string> value_as(const Value& model, std::string_view written);

}  // namespace atelier
