// cli: JSON as it is printed.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace atelier::cli {

constexpr int kOneLine = -1;
constexpr int kIndented = 2;

// `Json` is nlohmann's json or ordered_json. A path may hold bytes that are no UTF-8: each becomes U+FFFD, so that what
// is printed is JSON.
template <class Json>
std::string json_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace atelier::cli
