#include "cli/amounts.h"

#include <fmt/format.h>

#include "base/amounts.h"

namespace atelier::cli {

CLI::Validator a_size() {
  return {[](const std::string& text) {
            return bytes_of(text) ? "" : fmt::format("expects a size as in 20G or 500M, is '{}'", text);
          },
          ""};
}

CLI::Validator an_age() {
  return {[](const std::string& text) {
            return duration_of(text) ? "" : fmt::format("expects an age as in 12h, 30d or 8w, is '{}'", text);
          },
          ""};
}

CLI::Validator a_time() {
  return {[](const std::string& text) {
            return duration_of(text) ? "" : fmt::format("expects a time as in 90s, 30m or 2h, is '{}'", text);
          },
          ""};
}

}  // namespace atelier::cli
