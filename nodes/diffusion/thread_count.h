// libtorch's number of threads, which is the calling thread's own.
#pragma once

#include <ATen/Parallel.h>

namespace atelier::diffusion {

/// While it lives, the calling thread's libtorch, OpenMP and BLAS have so many threads; then what they had before.
class ThreadCount {
 public:
  /// Asking comes first: it makes libtorch initialise this thread, which would otherwise happen later and undo what is
  /// set here.
  explicit ThreadCount(int threads) : before_(at::get_num_threads()) { at::set_num_threads(threads); }
  ~ThreadCount() { at::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

}  // namespace atelier::diffusion
