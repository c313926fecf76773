#include "base/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace atelier {
namespace {

constexpr std::size_t longest_compared = 100;  // no name is longer, and the table is quadratic
constexpr std::size_t shortest_beginning = 3;  // fewer letters begin too many names
constexpr std::size_t distance_of_beginning = 2;

std::string lower(std::string_view text) {
  std::string small(text);
  for (char& c : small)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return small;
}

std::size_t allowed(std::size_t length) {
  if (length <= 3) return 1;
  return length <= 8 ? 2 : 3;
}

std::size_t distance_of(std::string_view wrong, std::string_view right) {
  const std::string a = lower(wrong), b = lower(right);
  const bool begun = std::min(a.size(), b.size()) >= shortest_beginning && (a.starts_with(b) || b.starts_with(a));
  const std::size_t distance = edit_distance(a, b);
  return begun ? std::min(distance, distance_of_beginning) : distance;
}

}  // namespace

std::size_t edit_distance(std::string_view one, std::string_view other) {
  const std::string a = lower(one), b = lower(other);
  std::array<std::vector<std::size_t>, 3> rows;  // the last two rows and the current one
  for (auto& row : rows) row.resize(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& now = rows[i % 3];
    const auto& last = rows[(i + 2) % 3];
    const auto& before = rows[(i + 1) % 3];
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
  }
  return rows[a.size() % 3][b.size()];
}

std::string nearest(std::string_view wrong, std::span<const std::string> right) {
  if (wrong.size() > longest_compared) return {};
  std::string best;
  std::size_t least = allowed(wrong.size()) + 1;
  for (const auto& name : right) {
    if (name.size() > longest_compared) continue;
    const std::size_t distance = distance_of(wrong, name);
    // A name of which no letter is left is another name.
    if (distance < least && distance < std::min(wrong.size(), name.size())) {
      least = distance;
      best = name;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view wrong, std::span<const std::string> right) {
  const std::string name = nearest(wrong, right);
  return name.empty() ? "" : fmt::format("; did you mean '{}'?", name);
}

}  // namespace atelier
