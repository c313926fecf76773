// cli: a run's events on standard output, one JSON object a line, for `--json`; now and then how far it is.
#pragma once
#include <fmt/format.h>

#include "cli/json_text.h"
#include "run/events.h"
#include "run/night_watch.h"

namespace atelier::cli {

class JsonLines final : public Observer {
 public:
  void on(const Event& event) override {
    watch_.on(event);
    now_s_ = event.time_s;
    if (event.as<RunStarted>()) told_s_ = now_s_;
    print(to_json(event));
  }

  // {"event": "night_progress", "time", …}: see to_json(NightView).
  void beat() override {
    constexpr double between_s = 10;
    if (now_s_ - told_s_ < between_s) return;
    told_s_ = now_s_;
    nlohmann::ordered_json line = {{"event", "night_progress"}, {"time", now_s_}};
    line.update(to_json(watch_.view()));
    print(line);
  }

 private:
  static void print(const nlohmann::ordered_json& line) {
    fmt::print("{}\n", json_text(line, kOneLine));
    std::fflush(stdout);
  }
  NightWatch watch_;
  double now_s_ = 0, told_s_ = 0;
};

}  // namespace atelier::cli
