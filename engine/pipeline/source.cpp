#include "pipeline/source.h"

#include <fmt/format.h>

namespace atelier {

std::string Mistake::text() const {
  if (position.line == 0) return fmt::format("{}: {}", position.file, message);
  return fmt::format("{}:{}:{}: {}", position.file, position.line, position.column, message);
}

}  // namespace atelier
