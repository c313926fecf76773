// Independent tasks on the threads that libtorch was told to use.
#pragma once

#include <cstdint>
#include <functional>

namespace atelier::diffusion {

/// Calls task(0) … task(count - 1), each once, on at::get_num_threads() threads; whoever is free takes the next, so
/// that a thread that another program holds up delays one task and not its share. Rethrows the first exception.
void for_each_task(int64_t count, const std::function<void(int64_t)>& task);

}  // namespace atelier::diffusion
