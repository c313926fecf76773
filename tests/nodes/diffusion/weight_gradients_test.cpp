// Models of weights that want gradients, as `full` training has them: every weight gets its gradient, and a change of a
// weight is a change of the model.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "golden_unet.h"
#include "goldens.h"

namespace atelier::diffusion {
namespace {

using test::near;

/// Copies that record gradients, as leaves.
WeightMap leaves(const WeightMap& weights, const std::function<bool(const std::string&)>& chosen = {}) {
  WeightMap copy;
  for (const auto& [name, stored] : weights) {
    copy[name] = stored.is_floating_point() ? stored.to(at::kFloat).clone() : stored;
    if (stored.is_floating_point() && (!chosen || chosen(name))) copy[name].requires_grad_(true);
  }
  return copy;
}

class WeightGradients : public GoldenTest {
 protected:
  std::shared_ptr<const UNet> unet_of(const WeightMap& weights, ModelOptions options = {}) const {
    const auto config = must(parse_unet_config(read_json(golden->path / "model/unet/config.json"), ""));
    WeightReader reader(weights, "unet", options);
    return must(UNet::create(config, reader));
  }

  std::shared_ptr<const ClipTextModel> text_of(const WeightMap& weights, std::size_t encoder) const {
    WeightReader reader(weights, "text_encoder");
    return must(ClipTextModel::create(golden->text_model(encoder)->config(), reader));
  }
};
ATELIER_ARCHITECTURES_SUITE(WeightGradients);

/// The change of `loss` along `direction` in all weights at once: by gradients, and by two evaluations. Both in
/// float32, so a thousandth is what can be asked for.
void expect_gradients(const WeightMap& weights, const std::function<at::Tensor()>& loss) {
  loss().backward();
  const double step = 1e-3;
  double by_gradients = 0;
  at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> direction;
  for (const auto& [name, weight] : weights) {
    if (!weight.requires_grad()) continue;
    ASSERT_TRUE(weight.grad().defined()) << name << " gets no gradient";
    direction[name] = weight.grad() / weight.grad().norm().clamp_min(1e-12);
    by_gradients += (direction[name] * weight.grad()).sum().item<double>();
  }
  const auto move = [&](double by) {
    for (const auto& [name, along] : direction) weights.at(name).add_(along, by);
  };
  move(step);
  const double above = loss().item<double>();
  move(-2 * step);
  const double below = loss().item<double>();
  move(step);
  EXPECT_NEAR((above - below) / (2 * step) / by_gradients, 1, 0.02);
}

TEST_P(WeightGradients, ReachEveryWeightOfTheUNet) {
  const WeightMap weights = leaves(golden->weights("unet"));
  const auto unet = unet_of(weights);
  const UNetInput input = golden->input();
  const at::Tensor target = at::zeros_like(input.sample);
  expect_gradients(weights, [&] { return (unet->forward(input) - target).square().mean(); });
}

TEST_P(WeightGradients, ReachEveryWeightOfTheTextEncoders) {
  for (std::size_t i = 0; i < (golden->sdxl() ? 2 : 1); ++i) {
    const WeightMap weights = leaves(golden->text_weights(i));
    const auto text = text_of(weights, i);
    const at::Tensor ids = (*golden)[fmt::format("text{}.ids", i)];
    expect_gradients(weights, [&] {
      const auto states = must(text->forward(ids));
      const at::Tensor all = (states.last + states.penultimate).square().mean() + states.pooled.square().mean();
      return states.embeds.defined() ? all + states.embeds.square().mean() : all;
    });
  }
}

TEST_P(WeightGradients, BelongToTheTensorsTheModelComputesWith) {
  const WeightMap base = golden->weights("unet"), weights = leaves(base);
  const auto unet = unet_of(weights);
  const UNetInput input = golden->input();
  const at::NoGradGuard no_grad;
  EXPECT_LT(greatest_difference(unet->forward(input), (*golden)["unet.out"]), 1e-5);
  for (const auto& [name, weight] : weights) weight.mul_(1.01);
  EXPECT_LT(greatest_difference(unet->forward(input), unet_of(weights)->forward(input)), 1e-5);
  EXPECT_GT(greatest_difference(unet->forward(input), (*golden)["unet.out"]), 1e-3);
  EXPECT_LT(greatest_difference(unet_of(base)->forward(input), (*golden)["unet.out"]), 1e-5);
}

/// The last two words of a weight's name: `to_k.weight`, `norm1.bias`.
std::string kind_of(const std::string& name) {
  const auto last = name.rfind('.');
  return name.substr(last == 0 ? 0 : name.rfind('.', last - 1) + 1);
}

TEST_P(WeightGradients, ReachOnlyWeightsThatWantThem) {
  const WeightMap all = leaves(golden->weights("unet"));
  unet_of(all)->forward(golden->input()).square().mean().backward();
  std::set<std::string> kinds;
  double largest = 0;
  for (const auto& [name, weight] : all) {
    kinds.insert(kind_of(name));
    largest = std::max(largest, weight.grad().norm().item<double>());
  }
  for (const std::string& kind : kinds) {
    const WeightMap weights =
        leaves(golden->weights("unet"), [&](const std::string& name) { return kind_of(name) == kind; });
    unet_of(weights)->forward(golden->input()).square().mean().backward();
    for (const auto& [name, weight] : weights) {
      ASSERT_EQ(weight.grad().defined(), kind_of(name) == kind) << name;
      if (!weight.grad().defined()) continue;
      const at::Tensor& wanted = all.at(name).grad();
      // A bias before a norm changes next to nothing: its gradient is the rounding of the others'.
      EXPECT_LT((weight.grad() - wanted).norm().item<double>(), 1e-4 * wanted.norm().item<double>() + 1e-6 * largest)
          << name;
    }
  }
}

}  // namespace
}  // namespace atelier::diffusion
