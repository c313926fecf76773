// cli: a run's events on standard output, one JSON object a line, for `--json`.
#pragma once
#include <fmt/format.h>

#include "cli/json_text.h"
#include "run/events.h"

namespace atelier::cli {

class JsonLines final : public Observer {
 public:
  void on(const Event& event) override {
    fmt::print("{}\n", json_text(to_json(event), kOneLine));
    std::fflush(stdout);
  }
};

}  // namespace atelier::cli
