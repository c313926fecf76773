// cli: the only date that enters an output (reproducible-builds.org).
#pragma once
#include <optional>
#include <string>

namespace atelier::cli {

// SOURCE_DATE_EPOCH as ISO 8601; nothing where it is not set. UserError where it is no number.
std::optional<std::string> source_date();

}  // namespace atelier::cli
