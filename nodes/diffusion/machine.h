// diffusion: what libtorch finds on this machine.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace atelier::diffusion {

struct MachineFacts {
  std::string torch_version;
  std::string blas;  // what libtorch was built with: "mkl", "open"; "generic" is the system's libblas
  int cuda_devices = 0;
  double matmul_gflops =
      0;  // float32, 1024 x 1024, all cores: Debian's libtorch gives 2 without OpenBLAS' OpenMP build
};

int cuda_device_count();

// The memory of each CUDA device, by index, 0 where libtorch does not tell (before 2.10).
std::vector<std::uint64_t> cuda_memory_bytes();

// Measures for about a quarter of a second.
MachineFacts machine_facts();

// What to do where products are slow with that BLAS (MachineFacts::blas): the system's BLAS can be replaced, one inside
// libtorch cannot.
std::string slow_products_remedy(std::string_view blas);

}  // namespace atelier::diffusion
