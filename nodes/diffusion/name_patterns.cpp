#include "diffusion/name_patterns.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

namespace atelier::diffusion {

bool NamePatterns::Pattern::match(const std::string& name) const {
  if (glob.empty()) return std::regex_match(name, regex);
  return fnmatch(glob.c_str(), name.c_str(), 0) == 0 || fnmatch(("*." + glob).c_str(), name.c_str(), 0) == 0;
}

Result<NamePatterns> NamePatterns::create(std::span<const std::string> patterns) {
  NamePatterns all;
  for (const std::string& text : patterns) {
    Pattern pattern{.text = text, .glob = text, .regex = {}, .excludes = text.starts_with('!')};
    if (pattern.excludes) pattern.glob.erase(0, 1);
    if (pattern.glob.empty()) return fail(fmt::format("pattern '{}' is empty", text));
    if (pattern.glob.size() > 2 && pattern.glob.front() == '/' && pattern.glob.back() == '/') {
      try {
        pattern.regex = std::regex(pattern.glob.substr(1, pattern.glob.size() - 2));
      } catch (const std::regex_error& error) {
        return fail(fmt::format("pattern '{}' is no regular expression: {}", text, error.what()));
      }
      pattern.glob.clear();
    }
    all.patterns_.push_back(std::move(pattern));
  }
  return all;
}

bool NamePatterns::match(std::string_view name) const {
  const std::string text(name);
  bool meant = false;
  for (const Pattern& pattern : patterns_) {
    if (!pattern.match(text)) continue;
    if (pattern.excludes) return false;
    meant = true;
  }
  return meant;
}

Result<void> NamePatterns::check_all_used(std::span<const std::string> names) const {
  for (const Pattern& pattern : patterns_)
    if (std::ranges::none_of(names, [&](const std::string& name) { return pattern.match(name); }))
      return fail(fmt::format("pattern '{}' matches nothing of the base; names are such as '{}'", pattern.text,
                              names.empty() ? "" : names[names.size() / 2]));
  return {};
}

}  // namespace atelier::diffusion
