// base: the program's log, for people: plain lines on standard error. What a run does is told by events, not here.
#pragma once
#include <string_view>

namespace atelier {

enum class LogLevel { debug, info, warning, error };

void set_log_level(LogLevel lowest);
void log(LogLevel level, std::string_view line);

}  // namespace atelier
