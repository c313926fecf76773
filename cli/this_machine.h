// cli: what this machine has.
#pragma once
#include "run/devices.h"

namespace atelier::cli {

Machine this_machine();

}  // namespace atelier::cli
