#include "diffusion/adapters.h"

#include <gtest/gtest.h>

#include "random_loras.h"

namespace atelier::diffusion {
namespace {

constexpr const char* layer_name = "conv_in";

/// Two LoRAs of one rank for a weight of that shape.
std::vector<Lora> two_loras(RandomLoras& random, const std::vector<int64_t>& weight_shape) {
  std::vector<Lora> loras(2);
  loras[0].layers[layer_name] = random.layer(weight_shape);
  LoraLayer second = loras[0].layers[layer_name];
  second.a = random.normal(second.a.sizes());
  second.b = random.normal(second.b.sizes());
  second.alpha *= 3;
  loras[1].layers[layer_name] = second;
  return loras;
}

const std::vector<int64_t> row_tenant = {1, 0, 0, 1};

TEST(Adapters, OfTwoTenantsChangeEachRowAsItsOwnLoraAlone) {
  RandomLoras random(1);
  const std::vector<Lora> loras = two_loras(random, {7, 5});
  const at::Tensor x = random.normal({4, 6, 5}), y = random.normal({4, 6, 7});
  const at::Tensor both = adapters_of_tenants(loras, row_tenant)->add_linear(layer_name, x, y);
  for (int64_t row = 0; row < 4; ++row) {
    const Lora& own = loras[static_cast<size_t>(row_tenant[static_cast<size_t>(row)])];
    const at::Tensor alone =
        adapters_of(own).add_linear(layer_name, x.slice(0, row, row + 1), y.slice(0, row, row + 1));
    EXPECT_TRUE(at::allclose(both[row], alone[0], 1e-5, 1e-4)) << "row " << row;
    const at::Tensor wanted = y[row] + at::mm(x[row], own.layers.at(layer_name).delta().t());
    EXPECT_TRUE(at::allclose(both[row], wanted, 1e-4, 1e-3)) << "row " << row;
  }
}

TEST(Adapters, OfTwoTenantsChangeConvolutionsAsEachLoraAlone) {
  RandomLoras random(2);
  for (const int64_t kernel : {1, 3}) {
    const std::vector<Lora> loras = two_loras(random, {7, 5, kernel, kernel});
    const at::Tensor x = random.normal({4, 5, 8, 6}), y = at::zeros({4, 7, 4, 3});
    const at::Tensor both = adapters_of_tenants(loras, row_tenant)->add_conv2d(layer_name, x, y, 2, kernel / 2);
    for (int64_t row = 0; row < 4; ++row) {
      const Lora& own = loras[static_cast<size_t>(row_tenant[static_cast<size_t>(row)])];
      const at::Tensor wanted =
          at::conv2d(x.slice(0, row, row + 1), own.layers.at(layer_name).delta(), {}, 2, kernel / 2);
      EXPECT_TRUE(at::allclose(both[row], wanted[0], 1e-4, 1e-3)) << "row " << row << ", kernel " << kernel;
    }
  }
}

TEST(Adapters, LeaveLayersAloneThatTheyDoNotAdapt) {
  const at::Tensor x = at::ones({1, 2, 3}), y = at::ones({1, 2, 4});
  EXPECT_TRUE(Adapters().add_linear("proj_in", x, y).is_same(y));
  EXPECT_TRUE(Adapters().empty());
}

TEST(Adapters, OfTenantsThatDifferAreRefusedByLayer) {
  RandomLoras random(3);
  std::vector<Lora> loras = two_loras(random, {7, 5});
  loras[1].layers[layer_name].a = at::ones({12, 5});
  loras[1].layers[layer_name].b = at::ones({7, 12});
  const int64_t rank = loras[0].layers[layer_name].rank();
  EXPECT_EQ(
      adapters_of_tenants(loras, row_tenant).error().message,
      "LoRA layer 'conv_in': A is [" + std::to_string(rank) + ", 5] in one LoRA of the batch and [12, 5] in another");
  loras[1].layers.clear();
  EXPECT_EQ(adapters_of_tenants(loras, row_tenant).error().message,
            "LoRA layer 'conv_in': not every LoRA of the batch adapts it");
}

}  // namespace
}  // namespace atelier::diffusion
