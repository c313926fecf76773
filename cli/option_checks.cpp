#include "cli/option_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/nearest.h"

namespace atelier::cli {

CLI::Validator whole_number(std::uint64_t minimum, std::uint64_t maximum) {
  const auto check = [=](const std::string& text) -> std::string {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && minimum <= number && number <= maximum) return "";
    return fmt::format("expects a whole number from {} to {}, is '{}'", minimum, maximum, text);
  };
  return {check, ""};
}

CLI::Validator number_that(std::string wanted, std::function<bool(double)> holds) {
  const auto check = [wanted = std::move(wanted), holds = std::move(holds)](const std::string& text) -> std::string {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && std::isfinite(number) && holds(number)) return "";
    return fmt::format("expects {}, is '{}'", wanted, text);
  };
  return {check, ""};
}

namespace {

// "a, b or c".
std::string alternatives(const std::vector<std::string>& words) {
  if (words.size() < 2) return fmt::format("{}", fmt::join(words, ""));
  return fmt::format("{} or {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

}  // namespace

CLI::Validator one_of(std::vector<std::string> words) {
  const auto check = [words = std::move(words)](const std::string& text) -> std::string {
    if (std::ranges::count(words, text) > 0) return "";
    return fmt::format("expects {}, is '{}'{}", alternatives(words), text, did_you_mean(text, words));
  };
  return {check, ""};
}

}  // namespace atelier::cli
