#include "diffusion/lora_alpha.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>

namespace atelier::diffusion {
namespace {

std::optional<double> number_in(const nlohmann::json& json, const std::string& key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

bool is_plain(std::string_view pattern) {
  return std::ranges::all_of(
      pattern, [](char c) { return c == '_' || c == '.' || std::isalnum(static_cast<unsigned char>(c)) != 0; });
}

/// As peft matches its patterns: a regular expression for the whole path or for what follows a dot in it. What is none
/// matches nothing.
bool ends_in(std::string_view path, const std::string& pattern) {
  if (is_plain(pattern))
    return path == pattern ||
           (path.ends_with(pattern) && path.size() > pattern.size() && path[path.size() - pattern.size() - 1] == '.');
  try {
    return std::regex_match(path.begin(), path.end(), std::regex("(?:.*\\.)?(?:" + pattern + ")"));
  } catch (const std::regex_error&) {
    return false;
  }
}

}  // namespace

double AlphaRule::of(std::string_view path, int64_t rank) const {
  const auto r = static_cast<double>(rank);
  double value = alpha.value_or(r);
  for (const auto& [pattern, own] : patterns)
    if (ends_in(path, pattern)) {
      value = own;
      break;
    }
  return by_root ? value * std::sqrt(r) : value;
}

AlphaRule alpha_rule(const nlohmann::json& config, const std::string& prefix) {
  AlphaRule rule{.alpha = number_in(config, prefix + "lora_alpha")};
  if (const auto root = config.find(prefix + "use_rslora"); root != config.end() && root->is_boolean())
    rule.by_root = root->get<bool>();
  if (const auto patterns = config.find(prefix + "alpha_pattern"); patterns != config.end() && patterns->is_object())
    for (const auto& [pattern, value] : patterns->items())
      if (value.is_number()) rule.patterns.emplace_back(pattern, value.get<double>());
  return rule;
}

}  // namespace atelier::diffusion
