#include "base/amounts.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace atelier {
namespace {

// A number that is not negative, and what follows it without spaces.
struct Amount {
  double number = 0;
  std::string_view unit;
};

std::optional<Amount> amount_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || std::signbit(number)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  while (text.starts_with(' ')) text.remove_prefix(1);
  return Amount{number, text};
}

}  // namespace

std::optional<std::uint64_t> bytes_of(std::string_view text) {
  auto amount = amount_of(text);
  if (!amount) return std::nullopt;
  auto unit = amount->unit;
  if (unit.ends_with('B')) unit.remove_suffix(1);
  const bool binary = unit.size() == 2 && unit[1] == 'i';
  if (binary) unit.remove_suffix(1);
  double factor = 1;
  if (!unit.empty()) {
    const auto power = std::string_view("KMGT").find(unit);
    if (unit.size() != 1 || power == std::string_view::npos) return std::nullopt;
    factor = std::pow(binary ? 1024.0 : 1000.0, static_cast<double>(power + 1));
  }
  constexpr double most = 1e18;  // well within 64 bits
  const double bytes = amount->number * factor;
  if (bytes > most) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::optional<std::chrono::seconds> duration_of(std::string_view text) {
  const auto amount = amount_of(text);
  if (!amount || amount->unit.size() != 1) return std::nullopt;
  double unit_s = 0;
  switch (amount->unit[0]) {
    case 's':
      unit_s = 1;
      break;
    case 'm':
      unit_s = 60;
      break;
    case 'h':
      unit_s = 3600;
      break;
    case 'd':
      unit_s = 86400;
      break;
    case 'w':
      unit_s = 7 * 86400;
      break;
    default:
      return std::nullopt;
  }
  constexpr double most_s = 1e9;  // thirty years, so that nanoseconds stay within 64 bits
  const double seconds = amount->number * unit_s;
  if (seconds > most_s) return std::nullopt;
  return std::chrono::seconds(static_cast<std::int64_t>(seconds));
}

std::string show_bytes(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < std::size(units); ++unit) value /= 1000;
  return fmt::format("{:.{}f} {}", value, value < 100 ? 1 : 0, units[unit]);
}

std::string show_duration(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace atelier
