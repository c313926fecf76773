#include "diffusion/machine.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/Version.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <chrono>

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 10)
#define ATELIER_TORCH_TELLS_MEMORY
#include <ATen/DeviceAccelerator.h>
#endif

namespace atelier::diffusion {
namespace {

constexpr std::int64_t kSide = 1024;
constexpr double kMeasure_s = 0.25;

double matmul_gflops() {
  const at::NoGradGuard guard;
  const at::Tensor a = at::ones({kSide, kSide}), b = at::ones({kSide, kSide});
  at::matmul(a, b);  // the first call starts the threads
  const auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> passed{};
  int products = 0;
  do {
    at::matmul(a, b);
    ++products;
    passed = std::chrono::steady_clock::now() - start;
  } while (passed.count() < kMeasure_s);
  return 2.0 * kSide * kSide * kSide * products / passed.count() / 1e9;
}

/// No function tells it alone; the report for people does.
std::string blas_name() {
  constexpr std::string_view kBefore = "BLAS_INFO=";
  const std::string report = at::show_config();
  const auto at = report.find(kBefore);
  if (at == std::string::npos) return "unknown";
  const auto start = at + kBefore.size();
  return report.substr(start, report.find_first_of(", \n", start) - start);
}

}  // namespace

int cuda_device_count() { return static_cast<int>(torch::cuda::device_count()); }

std::vector<std::uint64_t> cuda_memory_bytes() {
  std::vector<std::uint64_t> bytes(static_cast<std::size_t>(cuda_device_count()), 0);
#ifdef ATELIER_TORCH_TELLS_MEMORY
  for (std::size_t i = 0; i < bytes.size(); ++i)  // (free, total)
    bytes[i] = at::getDeviceAllocator(at::kCUDA)->getMemoryInfo(static_cast<c10::DeviceIndex>(i)).second;
#endif
  return bytes;
}

MachineFacts machine_facts() { return {TORCH_VERSION, blas_name(), cuda_device_count(), matmul_gflops()}; }

std::string slow_products_remedy(std::string_view blas) {
  if (blas == "generic") return "install OpenBLAS in its OpenMP build: apt-get install libopenblas0-openmp";
  return fmt::format(
      "its BLAS ({}) came with it: see what else keeps the cores busy, or whether OMP_NUM_THREADS is set", blas);
}

}  // namespace atelier::diffusion
