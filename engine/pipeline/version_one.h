// pipeline: what version 1 of the format does not have, and how a file that asks for it is told.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace atelier {

// "'when' asks for a condition, which version 1 does not have; expected …" for a key that asks for a condition, a
// scatter, a gather or an optional input; empty for every other.
std::optional<std::string> beyond_version_one(std::string_view key);

}  // namespace atelier
