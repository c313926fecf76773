#include "cli/source_date.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace atelier::cli {

std::optional<std::string> source_date() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (!text) return std::nullopt;
  std::int64_t seconds = 0;
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw UserError(fmt::format("SOURCE_DATE_EPOCH is '{}'; it is a number of seconds since 1970", digits));
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

}  // namespace atelier::cli
