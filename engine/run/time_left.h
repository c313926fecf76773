// run: how long the rest of a night will take. Pure: what is left to do in, seconds out.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace atelier {

// A task that has not ended.
struct TaskAhead {
  double left_s = 0;  // what it takes by itself from now on, once it runs
  bool on_device = false;
  bool runs = false;                        // now
  std::vector<std::uint32_t> dependents{};  // places of those that wait for it, all behind it
};

struct NightAhead {
  std::vector<TaskAhead> tasks{};
  std::size_t devices = 1;    // tasks that can hold a device at once
  std::size_t cpu_tasks = 1;  // others that can run at once
};

// When the last task ends if what is ready starts wherever there is room, the longest remaining path first. Of more
// tasks than can be gone through in a moment: the largest of the devices' work, the CPU's and the longest path, which
// no night can beat and one so long comes near.
double time_left_s(const NightAhead& night);

}  // namespace atelier
