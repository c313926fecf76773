// cli: SIGINT and SIGTERM. The first asks the run to stop (trainings checkpoint), the second ends the program at once;
// what is half written then never appears under its name.
#pragma once
#include "run/stop_token.h"

namespace atelier::cli {

// Installed for the time of a run; afterwards the signals are as they were. One at a time.
class SignalStop {
 public:
  explicit SignalStop(StopToken& stop);
  ~SignalStop();
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;
};

}  // namespace atelier::cli
