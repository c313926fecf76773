#include "pipeline/yaml_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/nearest.h"
#include "pipeline/scalar.h"
#include "pipeline/template.h"

namespace atelier {
namespace {

constexpr std::size_t most_listed = 12;  // more is no help in a sentence
constexpr std::int64_t format_version = 1;

std::string_view name_of(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::scalar:
      return "a single value";
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
    case YamlNode::Kind::empty:
    case YamlNode::Kind::refused:
      break;
  }
  return "nothing";
}

bool may_be_template(const YamlNode& node) {
  return node.kind == YamlNode::Kind::scalar && node.text.find("${") != std::string::npos;
}

// The first template in a value, to any depth of lists; null where there is none.
const YamlNode* template_in(const YamlNode& node) {
  if (may_be_template(node)) return &node;
  for (const auto& item : node.items)
    if (const YamlNode* found = template_in(item)) return found;
  return nullptr;
}

}  // namespace

std::string listed(std::span<const std::string> names) {
  const auto some = names.first(std::min(names.size(), most_listed));
  return fmt::format("{}{}", fmt::join(some, ", "), some.size() < names.size() ? ", …" : "");
}

bool YamlReader::is_map(const YamlNode& node, std::string_view what) {
  if (node.kind == YamlNode::Kind::map) return true;
  if (node.kind != YamlNode::Kind::refused)
    tell(position(node), fmt::format("{}: expects a map, is {}", what, name_of(node.kind)));
  return false;
}

std::optional<std::string> YamlReader::text(const YamlNode& node, std::string_view what) {
  if (node.kind == YamlNode::Kind::scalar && !node.text.empty()) return node.text;
  if (node.kind != YamlNode::Kind::refused)
    tell(position(node), fmt::format("{}: expects text, is {}", what,
                                     node.kind == YamlNode::Kind::scalar ? "empty" : name_of(node.kind)));
  return {};
}

std::optional<Value> YamlReader::scalar(const YamlNode& node, std::string_view what) {
  if (node.quoted) return node.text;
  auto value = plain_scalar(node.text);
  if (value) return *value;
  tell(position(node), fmt::format("{}: {}", what, value.error()));
  return {};
}

std::optional<Value> YamlReader::value(const YamlNode& node, std::string_view what) {
  if (const YamlNode* found = template_in(node)) {
    tell(position(*found), fmt::format("{}: '{}' is not replaced here; expected a value", what, found->text));
    return {};
  }
  auto found = expression(node, what);
  if (!found) return {};
  return evaluate(*found, {});
}

std::optional<Expression> YamlReader::expression(const YamlNode& node, std::string_view what) {
  Expression result;
  if (node.kind == YamlNode::Kind::list) {
    result.is_list = true;
    bool whole = true;
    for (const auto& item : node.items) {
      auto part = expression(item, what);
      whole = whole && part;
      if (part) result.parts.push_back(std::move(*part));
    }
    if (!whole) return {};
    if (!names_in(result).empty()) return result;
    Expression constant;
    constant.value = evaluate(result, {});
    return constant;
  }
  if (node.kind != YamlNode::Kind::scalar) {
    if (node.kind != YamlNode::Kind::refused)
      tell(position(node), fmt::format("{}: expects a value or a list, is {}", what, name_of(node.kind)));
    return {};
  }
  if (!may_be_template(node)) {
    auto value = scalar(node, what);
    if (!value) return {};
    result.value = std::move(*value);
    return result;
  }
  auto parsed = parse_template(node.text);
  if (!parsed) {
    tell(position(node), fmt::format("{}: {}", what, parsed.error()));
    return {};
  }
  if (names_in(*parsed).empty())
    result.value = evaluate(*parsed, {});
  else
    result.text.push_back(std::move(*parsed));
  return result;
}

bool YamlReader::name(const YamlNode::Key& key, std::string_view what) {
  if (is_name(key.name)) return true;
  tell(position(key), fmt::format("{} '{}'; expected a name of letters, digits, '_' and '-' that begins with a letter",
                                  what, key.name));
  return false;
}

void YamlReader::unknown_key(const YamlNode::Key& key, std::string_view owner, std::span<const std::string> allowed) {
  tell(position(key),
       fmt::format("unknown key '{}'; {} has {}{}", key.name, owner, listed(allowed), did_you_mean(key.name, allowed)));
}

void YamlReader::keys(const YamlNode& map, std::string_view owner, std::span<const std::string> allowed) {
  for (const auto& key : map.keys)
    if (std::ranges::find(allowed, key.name) == allowed.end()) unknown_key(key, owner, allowed);
}

void YamlReader::format(const YamlNode& root, std::string_view owner) {
  const YamlNode* node = root.find("atelier");
  if (!node) {
    if (!root.incomplete)
      tell(position(root), fmt::format("'atelier: {}' is missing; expected it in {}", format_version, owner));
    return;
  }
  const auto version = value(*node, "key 'atelier'");
  if (version && *version != Value(format_version))
    tell(position(*node),
         fmt::format("key 'atelier': expects {}, the version of the format, is {}", format_version, version->show()));
}

}  // namespace atelier
