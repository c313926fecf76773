// Every set of kernels that this processor has, against plain loops and libtorch.
#include "diffusion/panel_kernels.h"

#include <gtest/gtest.h>

#include "random_loras.h"

namespace atelier::diffusion {
namespace {

class EveryPanelKernels : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (GetParam() >= all_panel_kernels().count) GTEST_SKIP() << "this processor has fewer vector widths";
    kernels = all_panel_kernels().sets[GetParam()];
  }
  const PanelKernels* kernels = nullptr;
  RandomLoras random{11};
};

INSTANTIATE_TEST_SUITE_P(Sets, EveryPanelKernels, ::testing::Range(0, 3));

double difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST_P(EveryPanelKernels, MultiplyLeftFactorsAsTheyLie) {
  constexpr int64_t k = 36, width = kPanel + kHalfPanel;
  for (const int64_t rows : {1, 5, 12, 29})
    for (const int64_t columns : {kHalfPanel, kPanel, width}) {
      const at::Tensor left = random.normal({rows, k}), panel = random.normal({k, width});
      const at::Tensor turned = left.t().contiguous();                               // [k, rows]
      const at::Tensor taps = left.view({rows, 4, 9}).transpose(0, 1).contiguous();  // [4, rows, 9]
      const at::Tensor wanted = at::mm(left, panel).narrow(1, 0, columns);
      const LeftFactor factors[] = {LeftFactor::rows_of(left.data_ptr<float>(), k, k),
                                    LeftFactor::columns_of(turned.data_ptr<float>(), rows),
                                    {taps.data_ptr<float>(), 9, 9, rows * 9}};
      for (const LeftFactor& factor : factors) {
        at::Tensor out = at::zeros({rows, width});
        PanelProduct product{factor, rows, 0, 9, panel.data_ptr<float>(), width, columns, out.data_ptr<float>(),
                             width,  false};
        kernels->multiply(product);
        product.k_begin = 9, product.k_end = k, product.accumulate = true;
        product.panel = panel.data_ptr<float>() + 9 * width;
        kernels->multiply(product);
        EXPECT_LT(difference(out.narrow(1, 0, columns), wanted), 1e-4) << kernels->name << " rows " << rows;
      }
    }
}

TEST_P(EveryPanelKernels, Transpose) {
  for (const int64_t rows : {1, 16, 37})
    for (const int64_t columns : {3, 32, 50}) {
      const at::Tensor x = random.normal({rows, columns});
      at::Tensor turned = at::zeros({columns, rows});
      kernels->transpose(x.data_ptr<float>(), columns, rows, columns, turned.data_ptr<float>(), rows);
      EXPECT_TRUE(at::equal(turned, x.t())) << kernels->name;
    }
}

TEST_P(EveryPanelKernels, AttendToKeys) {
  const at::Tensor q = random.normal({45, 24}) * 3, k = random.normal({150, 24}), v = random.normal({150, 24});
  at::Tensor out = at::empty({45, 24}), log_sum = at::empty({45});
  kernels->attend({q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), 45, 150, 24, 0.5F},
                  out.data_ptr<float>(), log_sum.data_ptr<float>());
  const at::Tensor scores = at::mm(q, k.t()) * 0.5;
  EXPECT_LT(difference(out, at::mm(at::softmax(scores, -1), v)), 2e-5) << kernels->name;
  EXPECT_LT(difference(log_sum, at::logsumexp(scores, -1)), 1e-4) << kernels->name;
}

TEST_P(EveryPanelKernels, GateByGelu) {
  const at::Tensor a = random.normal({1000}), b = at::linspace(-8, 8, 1000), g = random.normal({1000});
  at::Tensor out = at::empty({1000}), to_a = at::empty({1000}), to_b = at::empty({1000});
  kernels->geglu(a.data_ptr<float>(), b.data_ptr<float>(), out.data_ptr<float>(), 1000);
  kernels->geglu_backward(a.data_ptr<float>(), b.data_ptr<float>(), g.data_ptr<float>(), to_a.data_ptr<float>(),
                          to_b.data_ptr<float>(), 1000);
  EXPECT_LT(difference(out, a * at::gelu(b)), 3e-6) << kernels->name;
  EXPECT_LT(difference(to_a, g * at::gelu(b)), 3e-6) << kernels->name;
  EXPECT_LT(difference(to_b, at::gelu_backward(g * a, b)), 3e-6) << kernels->name;
}

/// One map's convolution with each of some kernels, tile by tile as Winograd's form has it; [kernels, height, width].
at::Tensor winograd(const PanelKernels& set, const at::Tensor& map, const at::Tensor& weights, bool turned) {
  const int64_t height = map.size(0), width = map.size(1), count = weights.size(0);
  const int64_t tiles = (height + 3) / 4 * ((width + 3) / 4);
  at::Tensor kernels = at::zeros({kWinogradPositions, count}), inputs = at::zeros({kWinogradPositions, kHalfPanel});
  at::Tensor out = at::full({count, height, width}, 1e9F);
  set.winograd_kernels({weights.data_ptr<float>(), count, 0, turned}, kernels.data_ptr<float>(), count);
  for (int64_t first = 0; first < tiles; first += kHalfPanel) {
    const WinogradTiles some{height, width, first, std::min(kHalfPanel, tiles - first)};
    set.winograd_input(some, map.data_ptr<float>(), inputs.data_ptr<float>(), kHalfPanel);
    for (int64_t kernel = 0; kernel < count; ++kernel) {
      const at::Tensor products = (inputs * kernels.narrow(1, kernel, 1)).contiguous();
      set.winograd_output(some, products.data_ptr<float>(), kHalfPanel, 0.5F, out[kernel].data_ptr<float>());
    }
  }
  return out;
}

TEST_P(EveryPanelKernels, ConvolveByTiles) {
  const std::vector<std::pair<int64_t, int64_t>> sizes{{4, 4}, {16, 16}, {64, 8}, {8, 64}, {1, 1}, {7, 30}, {33, 21}};
  for (const auto& [height, width] : sizes)
    for (const bool turned : {false, true}) {
      const at::Tensor map = random.normal({height, width}), weights = random.normal({37, 1, 3, 3});
      const at::Tensor used = turned ? weights.flip({2, 3}) : weights;
      const at::Tensor wanted =
          at::conv2d(map.view({1, 1, height, width}).to(at::kDouble), used.to(at::kDouble), {}, 1, 1)[0] + 0.5;
      EXPECT_LT(difference(winograd(*kernels, map, weights, turned), wanted), 2e-5)
          << kernels->name << ' ' << height << " x " << width;
    }
}

}  // namespace
}  // namespace atelier::diffusion
