#include "diffusion/machine.h"

#include <gtest/gtest.h>

namespace atelier::diffusion {
namespace {

TEST(Machine, TellsWhichLibtorchAndWhichBlasItFound) {
  const MachineFacts facts = machine_facts();
  EXPECT_NE(facts.torch_version, "");
  EXPECT_NE(facts.blas, "unknown");
  EXPECT_EQ(facts.blas.find_first_of(" ,=\n"), std::string::npos) << facts.blas;
  EXPECT_GT(facts.matmul_gflops, 0);
}

TEST(Machine, AdvisesAnotherBlasOnlyWhereItCanBeReplaced) {
  EXPECT_EQ(slow_products_remedy("generic"),
            "install OpenBLAS in its OpenMP build: apt-get install libopenblas0-openmp");
  EXPECT_EQ(slow_products_remedy("mkl"),
            "its BLAS (mkl) came with it: see what else keeps the cores busy, or whether OMP_NUM_THREADS is set");
}

}  // namespace
}  // namespace atelier::diffusion
