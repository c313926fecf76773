// diffusion: what libtorch finds on this machine.
#pragma once
#include <string>

namespace atelier::diffusion {

struct MachineFacts {
  std::string torch_version;
  int cuda_devices = 0;
  double matmul_gflops =
      0;  // float32, 1024 x 1024, all cores: Debian's libtorch gives 2 without OpenBLAS' OpenMP build
};

int cuda_device_count();

// Measures for about a quarter of a second.
MachineFacts machine_facts();

}  // namespace atelier::diffusion
