#include "base/real_path.h"

#include <algorithm>

namespace atelier {
namespace fs = std::filesystem;

fs::path posix_real_path(const fs::path& path) {
  std::error_code unreadable;
  const fs::path real = fs::weakly_canonical(path, unreadable);
  return unreadable ? fs::absolute(path).lexically_normal() : real;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  const fs::path inner = path.lexically_normal(), outer = (folder / "").lexically_normal();
  const auto outer_end = std::prev(outer.end());  // the empty part behind the last '/'
  return std::mismatch(outer.begin(), outer_end, inner.begin(), inner.end()).first == outer_end;
}

}  // namespace atelier
