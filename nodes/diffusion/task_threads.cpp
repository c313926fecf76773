// Compiled with OpenMP: at::parallel_for is serial where its caller is not, and divides the work beforehand.
#include "diffusion/task_threads.h"

#include <ATen/Parallel.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>

namespace atelier::diffusion {

void for_each_task(int64_t count, const std::function<void(int64_t)>& task) {
  const int64_t threads = std::min<int64_t>(count, at::get_num_threads());
  if (threads <= 1 || omp_in_parallel() != 0) {
    for (int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  std::exception_ptr failure;
  std::atomic<bool> failed{false};
#pragma omp parallel for schedule(dynamic, 1) num_threads(static_cast<int>(threads))
  for (int64_t i = 0; i < count; ++i) {
    if (failed) continue;
    try {
      task(i);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

void use_all_cores() {
  if (std::getenv("OMP_NUM_THREADS") == nullptr) at::set_num_threads(omp_get_num_procs());
}

}  // namespace atelier::diffusion
