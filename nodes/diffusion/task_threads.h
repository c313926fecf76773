// Independent tasks on the threads that libtorch was told to use.
#pragma once

#include <cstdint>
#include <functional>

namespace atelier::diffusion {

/// Calls task(0) … task(count - 1), each once, on at::get_num_threads() threads; whoever is free takes the next, so
/// that a thread that another program holds up delays one task and not its share. Rethrows the first exception.
void for_each_task(int64_t count, const std::function<void(int64_t)>& task);

/// Tells libtorch to use all cores that this process may run on, unless OMP_NUM_THREADS says how many: libtorch's own
/// guess is lower on some machines.
void use_all_cores();

}  // namespace atelier::diffusion
