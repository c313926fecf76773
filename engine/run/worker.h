// run: the other side of a worker: carries out orders, one at a time. Data goes through the store alone.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "run/devices.h"
#include "run/job_order.h"

namespace atelier {

struct WorkerSeams {  // all must outlive it
  const NodeRegistry& registry;
  Store& store;
  Files& files;
  const Clock& clock;
  RunDevice& device;
  std::function<std::optional<std::string>()> read_line{};  // empty at the end; waits
  std::function<void(const std::string&)> write_line{};     // from many threads at once
  // Called at the end of the input while an order is being carried out, whose result nobody waits for: the command line
  // ends the process.
  std::function<void()> abandoned{};
};

// Returns at the end of the input, or of what it understands; false then.
bool carry_out_orders(const WorkerSeams& seams);

}  // namespace atelier
