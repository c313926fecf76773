#include "pipeline/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "pipeline/yaml_tree.h"

namespace atelier {
namespace {

constexpr std::array<std::string_view, 4> elsewhere_booleans{"yes", "no", "on", "off"};
constexpr std::array<std::string_view, 4> elsewhere_numbers{".inf", "+.inf", "-.inf", ".nan"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string small(text);
  for (char& c : small)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return small;
}

template <class Texts>
bool holds(const Texts& texts, std::string_view text) {
  return std::ranges::find(texts, text) != texts.end();
}

// The shape of a number: [sign] digits [. digits] [e [sign] digits], with at least one digit before the e.
struct Shape {
  bool is_number = false, is_integer = false, has_leading_zero = false;
};

std::size_t skip_digits(std::string_view text, std::size_t& at) {
  const std::size_t begin = at;
  while (at < text.size() && is_digit(text[at])) ++at;
  return at - begin;
}
bool is_sign(std::string_view text, std::size_t at) { return at < text.size() && (text[at] == '+' || text[at] == '-'); }

Shape shape_of(std::string_view text) {
  std::size_t at = is_sign(text, 0) ? 1 : 0;
  const std::size_t begin = at;
  const std::size_t whole = skip_digits(text, at);
  Shape shape;
  shape.has_leading_zero = whole > 1 && text[begin] == '0';
  shape.is_integer = whole > 0 && at == text.size();
  std::size_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    fraction = skip_digits(text, at);
  }
  if (whole + fraction == 0) return {};
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (is_sign(text, at)) ++at;
    if (skip_digits(text, at) == 0) return {};
  }
  shape.is_number = at == text.size();
  return shape;
}

// 0x1F, 0o17, 0b1, 1_000: numbers to other readers.
bool looks_like_other_number(std::string_view text) {
  if (is_sign(text, 0)) text.remove_prefix(1);
  if (text.empty() || !is_digit(text.front())) return false;
  const std::string small = lower(text);
  const auto all = [&](std::size_t from, std::string_view allowed) {
    return small.size() > from && small.find_first_not_of(allowed, from) == std::string::npos;
  };
  if (small.starts_with("0x")) return all(2, "0123456789abcdef_");
  if (small.starts_with("0o")) return all(2, "01234567");
  if (small.starts_with("0b")) return all(2, "01_");
  return small.find('_') != std::string::npos && all(0, "0123456789_.e+-");
}

tl::expected<Value, std::string> number(std::string_view text, const Shape& shape) {
  if (shape.has_leading_zero)
    return tl::unexpected(
        fmt::format("{} begins with a zero; expected a decimal number, or quotes around a text", text));
  const std::string_view unsigned_plus = text.starts_with('+') ? text.substr(1) : text;
  const char* const end = unsigned_plus.data() + unsigned_plus.size();
  if (shape.is_integer) {
    std::int64_t integer = 0;
    if (std::from_chars(unsigned_plus.data(), end, integer).ec == std::errc{}) return Value(integer);
    return tl::unexpected(fmt::format("{} is too large; expected an integer of 64 bits", text));
  }
  double real = 0;
  const auto result = std::from_chars(unsigned_plus.data(), end, real);
  if (result.ec == std::errc{} && std::isfinite(real)) return Value(real);
  return tl::unexpected(fmt::format("{} is out of range; expected a number of 64 bits", text));
}

bool same_type(const Value& model, const Value& value) {
  return value.is(model.type()) || (model.is(ValueType::number) && value.is(ValueType::integer));
}

// What every element of a list must be like: a number where any of the default's is one.
const Value* element_model(const Value::List& list) {
  for (const auto& element : list)
    if (element.is(ValueType::number)) return &element;
  return list.empty() ? nullptr : &list.front();
}

}  // namespace

tl::expected<Value, std::string> plain_scalar(std::string_view text) {
  if (text == "true") return Value(true);
  if (text == "false") return Value(false);
  const std::string small = lower(text);
  if (small == "true" || small == "false" || holds(elsewhere_booleans, small))
    return tl::unexpected(fmt::format("{} could mean a boolean or a text; expected true, false or quotes", text));
  if (small == "~" || small == "null")
    return tl::unexpected(fmt::format("{} is no value; expected one, or the key left out", text));
  if (holds(elsewhere_numbers, small))
    return tl::unexpected(fmt::format("{} is no finite number; expected one, or quotes around a text", text));
  const Shape shape = shape_of(text);
  if (shape.is_number) return number(text, shape);
  if (looks_like_other_number(text))
    return tl::unexpected(
        fmt::format("{} could mean a number or a text; expected a decimal number, or quotes around a text", text));
  return Value(std::string(text));
}

bool fits(const Value& model, const Value& value) {
  if (value.absent() || !same_type(model, value)) return false;
  if (!model.is(ValueType::list)) return true;
  const Value* element = element_model(model.list());
  return !element || std::ranges::all_of(value.list(), [&](const Value& v) { return fits(*element, v); });
}

Value as_type_of(const Value& model, const Value& value) {
  if (model.is(ValueType::number)) return value.number();
  if (!model.is(ValueType::list)) return value;
  const Value* element = element_model(model.list());
  if (!element) return value;
  Value::List all;
  for (const auto& v : value.list()) all.push_back(as_type_of(*element, v));
  return all;
}

std::string expectation(const Value& model) {
  const std::string name(name_of(model.type()));
  const Value* element = model.is(ValueType::list) ? element_model(model.list()) : nullptr;
  return element ? fmt::format("{}, each {}", name, expectation(*element)) : name;
}

namespace {

// A value of one line, read as YAML; empty where it is none.
Value flow_value(std::string_view written);

Value value_of(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::scalar) {
    if (node.quoted) return node.text;
    return plain_scalar(node.text).value_or(Value());
  }
  if (node.kind != YamlNode::Kind::list) return {};
  Value::List all;
  for (const auto& item : node.items) {
    Value value = value_of(item);
    if (value.absent()) return {};
    all.push_back(std::move(value));
  }
  return all;
}

Value flow_value(std::string_view written) {
  MistakeList mistakes;
  const YamlTree tree = read_yaml("", written, mistakes);
  return mistakes.empty() ? value_of(tree.root) : Value();
}

}  // namespace

tl::expected<Value, std::string> value_as(const Value& model, std::string_view written) {
  const bool in_quotes = written.starts_with('"') || written.starts_with('\'');
  if (model.is(ValueType::text) && !in_quotes) return Value(std::string(written));
  const Value value = flow_value(written);
  if (fits(model, value)) return as_type_of(model, value);
  return tl::unexpected(fmt::format("expects {}, is {}", expectation(model), written));
}

}  // namespace atelier
