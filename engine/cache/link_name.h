// cache: names as HDF5 links. A link holds no '/' and no NUL and is neither empty nor "."; those bytes, '%' and control
// characters are written as in a URL, so that every name comes back as it was and most read as they are.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace atelier {

std::string to_link_name(std::string_view name);
std::optional<std::string> from_link_name(std::string_view link);  // empty for what to_link_name never gives

}  // namespace atelier
