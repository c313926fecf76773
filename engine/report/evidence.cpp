#include "report/evidence.h"

#include <algorithm>

namespace atelier {

Shown Evidence::shown(const Digest& key) const { return store_ ? get_shown(*store_, key).value_or(Shown{}) : Shown{}; }

std::string Evidence::last_lines(const std::string& log, std::size_t most) const {
  const auto path = std::filesystem::path(log).lexically_normal();
  if (log.empty() || path.is_absolute() || *path.begin() == "..") return {};
  const auto text = read_text(files_, folder_ / path);
  if (!text) return {};
  std::string_view rest(*text);
  while (rest.ends_with('\n')) rest.remove_suffix(1);
  std::size_t begin = rest.size();
  for (std::size_t lines = 0; lines < most && begin != 0; ++lines) {
    const auto before = rest.rfind('\n', begin - 1);
    if (before == std::string_view::npos) return std::string(rest);
    begin = before;
  }
  return begin == 0 ? std::string(rest) : std::string(rest.substr(begin + 1));
}

}  // namespace atelier
