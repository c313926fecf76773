#include "cli/this_machine.h"

#include <unistd.h>
#include <algorithm>
#include <thread>

#include "diffusion/machine.h"

namespace atelier::cli {

Machine this_machine() {
  Machine machine;
  machine.cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  machine.cuda_devices = diffusion::cuda_device_count();
  machine.cuda_memory_bytes = diffusion::cuda_memory_bytes();
  machine.memory_bytes =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
  return machine;
}

}  // namespace atelier::cli
