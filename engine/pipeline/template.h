// pipeline: text with ${names}. No language: a name, nothing else, stands between the braces, and $${ is a text "${".
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "pipeline/pipeline.h"

namespace atelier {

// The name that stands for the customer's id; no param has it.
inline constexpr std::string_view customer_name = "customer";

// Letters, digits, '_' and '-', not beginning with a digit or '-': params, inputs, steps, outputs and ports.
bool is_name(std::string_view text);

// The error is a sentence: what is not closed, or what is no name.
tl::expected<Template, std::string> parse_template(std::string_view text);

// The names in it, each once, in order.
std::vector<std::string> names_in(const Template& text);
std::vector<std::string> names_in(const Expression& expression);
bool uses(const Template& text, std::string_view name);
bool uses(const Expression& expression, std::string_view name);

// As a text that a template takes in: "80", "0.6", "true"; empty for a list, which no text takes in.
std::optional<std::string> text_of(const Value& value);

// What a name stands for one level up: for a param of a module, what its step was given. Null: the name itself.
using Meaning = std::function<const Expression*(std::string_view name)>;

// The expression with every name replaced by what it stands for. Empty where a list would stand within a text.
std::optional<Expression> compose(const Expression& expression, const Meaning& meaning);

}  // namespace atelier
