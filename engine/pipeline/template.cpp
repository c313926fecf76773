#include "pipeline/template.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace atelier {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; }

void add_text(Template& result, std::string_view text) {
  if (text.empty()) return;
  if (result.pieces.empty() || result.pieces.back().is_name) result.pieces.emplace_back();
  result.pieces.back().text += text;
}

void collect(const Template& text, std::vector<std::string>& names) {
  for (const auto& piece : text.pieces)
    if (piece.is_name && std::ranges::find(names, piece.text) == names.end()) names.push_back(piece.text);
}

void collect(const Expression& expression, std::vector<std::string>& names) {
  for (const auto& text : expression.text) collect(text, names);
  for (const auto& part : expression.parts) collect(part, names);
}

const Value& value_named(const ParamValues& values, const std::string& name) {
  const auto found = values.find(name);
  if (found == values.end()) throw Fault(fmt::format("a template names '{}', which has no value", name));
  return found->second;
}

Expression constant(Value value) {
  Expression expression;
  expression.value = std::move(value);
  return expression;
}

// Adds what `name` stands for to a text; false for a list.
bool splice(Template& result, const std::string& name, const Meaning& meaning) {
  const Expression* stands_for = meaning(name);
  if (!stands_for) {
    result.pieces.push_back({name, true});
    return true;
  }
  if (stands_for->is_list) return false;
  if (stands_for->text.empty()) {
    const auto text = text_of(stands_for->value);
    if (text) add_text(result, *text);
    return text.has_value();
  }
  for (const auto& piece : stands_for->text.front().pieces) {
    if (piece.is_name)
      result.pieces.push_back(piece);
    else
      add_text(result, piece.text);
  }
  return true;
}

std::optional<Expression> compose(const Template& text, const Meaning& meaning) {
  Expression result;
  if (text.exact) {
    if (const Expression* stands_for = meaning(text.pieces.front().text)) return *stands_for;
    result.text.push_back(text);
    return result;
  }
  Template composed;
  for (const auto& piece : text.pieces) {
    if (!piece.is_name)
      add_text(composed, piece.text);
    else if (!splice(composed, piece.text, meaning))
      return {};
  }
  if (names_in(composed).empty()) return constant(composed.pieces.empty() ? "" : composed.pieces.front().text);
  result.text.push_back(std::move(composed));
  return result;
}

}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, is_name_part);
}

tl::expected<Template, std::string> parse_template(std::string_view text) {
  Template result;
  const std::string_view whole = text;
  while (!text.empty()) {
    const std::size_t begin = text.find("${");
    if (begin == std::string_view::npos) {
      add_text(result, text);
      break;
    }
    if (begin > 0 && text[begin - 1] == '$') {
      add_text(result, text.substr(0, begin - 1));
      add_text(result, "${");
      text.remove_prefix(begin + 2);
      continue;
    }
    add_text(result, text.substr(0, begin));
    const std::size_t end = text.find('}', begin);
    if (end == std::string_view::npos)
      return tl::unexpected(
          fmt::format("'{}' is not closed; expected '${{name}}', or '$${{' for the text '${{'", text.substr(begin)));
    const std::string_view name = text.substr(begin + 2, end - begin - 2);
    if (!is_name(name))
      return tl::unexpected(
          fmt::format("'${{{}}}' holds no name; expected '${{name}}', or '$${{' for the text '${{'", name));
    result.pieces.push_back({std::string(name), true});
    text.remove_prefix(end + 1);
  }
  result.exact = result.pieces.size() == 1 && result.pieces.front().is_name &&
                 whole.size() == result.pieces.front().text.size() + std::string_view("${}").size();
  return result;
}

std::vector<std::string> names_in(const Template& text) {
  std::vector<std::string> names;
  collect(text, names);
  return names;
}
std::vector<std::string> names_in(const Expression& expression) {
  std::vector<std::string> names;
  collect(expression, names);
  return names;
}

bool uses(const Template& text, std::string_view name) {
  return std::ranges::any_of(text.pieces, [&](const auto& piece) { return piece.is_name && piece.text == name; });
}
bool uses(const Expression& expression, std::string_view name) {
  return std::ranges::any_of(expression.text, [&](const auto& text) { return uses(text, name); }) ||
         std::ranges::any_of(expression.parts, [&](const auto& part) { return uses(part, name); });
}

std::optional<std::string> text_of(const Value& value) {
  if (value.absent() || value.is(ValueType::list)) return {};
  return value.is(ValueType::text) ? value.text() : value.show();
}

std::optional<Expression> compose(const Expression& expression, const Meaning& meaning) {
  if (!expression.text.empty()) return compose(expression.text.front(), meaning);
  if (!expression.is_list) return expression;
  Expression result;
  result.is_list = true;
  for (const auto& part : expression.parts) {
    auto composed = compose(part, meaning);
    if (!composed) return {};
    result.parts.push_back(std::move(*composed));
  }
  return result;
}

Value evaluate(const Expression& expression, const ParamValues& values) {
  if (expression.is_list) {
    Value::List all;
    for (const auto& part : expression.parts) all.push_back(evaluate(part, values));
    return all;
  }
  if (expression.text.empty()) return expression.value;
  const Template& text = expression.text.front();
  if (text.exact) return value_named(values, text.pieces.front().text);
  return evaluate(text, values);
}

std::string evaluate(const Template& text, const ParamValues& values) {
  std::string result;
  for (const auto& piece : text.pieces) {
    if (!piece.is_name) {
      result += piece.text;
      continue;
    }
    const auto part = text_of(value_named(values, piece.text));
    if (!part) throw Fault(fmt::format("a template takes the list '{}' into a text", piece.text));
    result += *part;
  }
  return result;
}

}  // namespace atelier
