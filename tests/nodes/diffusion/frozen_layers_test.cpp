// The functions of frozen layers against the same formula in libtorch's operations: values and gradients.
#include <gtest/gtest.h>

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "diffusion/attention.h"
#include "diffusion/frozen_conv.h"
#include "diffusion/frozen_norm.h"
#include "diffusion/layers.h"
#include "diffusion/projections.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

/// Sums with random signs: a scalar whose gradient is another number everywhere.
at::Tensor scalar_of(const std::vector<at::Tensor>& outputs, RandomLoras random) {
  at::Tensor total = at::zeros({}, outputs[0].options());
  for (const at::Tensor& output : outputs)
    total = total + (output * random.normal(output.sizes()).to(output.scalar_type())).sum();
  return total;
}

using Function = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

struct Outcome {
  std::vector<at::Tensor> outputs, gradients;
};

Outcome outcome(const Function& function, const std::vector<at::Tensor>& values, at::ScalarType dtype) {
  std::vector<at::Tensor> inputs;
  for (const at::Tensor& value : values) inputs.push_back(value.detach().to(dtype).clone().requires_grad_(true));
  Outcome found;
  found.outputs = function(inputs);
  found.gradients = torch::autograd::grad({scalar_of(found.outputs, RandomLoras(99))}, inputs);
  return found;
}

void expect_near(const at::Tensor& found, const at::Tensor& wanted, const std::string& what) {
  ASSERT_EQ(found.sizes(), wanted.sizes()) << what;
  const double scale = std::max(1.0, wanted.abs().max().item<double>());
  EXPECT_LT((found.to(at::kDouble) - wanted).abs().max().item<double>() / scale, 2e-5) << what;
}

/// `frozen` in float32 against `plain` in float64.
void expect_same(const Function& frozen, const Function& plain, const std::vector<at::Tensor>& inputs,
                 const std::string& what) {
  const Outcome found = outcome(frozen, inputs, at::kFloat), wanted = outcome(plain, inputs, at::kDouble);
  for (size_t i = 0; i < wanted.outputs.size(); ++i)
    expect_near(found.outputs[i], wanted.outputs[i], what + ", output " + std::to_string(i));
  for (size_t i = 0; i < wanted.gradients.size(); ++i)
    expect_near(found.gradients[i], wanted.gradients[i], what + ", gradient " + std::to_string(i));
}

struct ConvCase {
  std::vector<int64_t> x;
  int64_t out, kernel, stride, padding;
};

TEST(FrozenConv, IsAConvolutionWithItsGradient) {
  RandomLoras random(1);
  const std::vector<ConvCase> cases{{{1, 3, 5, 7}, 4, 3, 1, 1},
                                    {{2, 16, 8, 8}, 33, 3, 1, 1},
                                    {{3, 20, 4, 4}, 50, 3, 1, 1},
                                    {{1, 7, 40, 33}, 13, 3, 1, 1},
                                    {{2, 9, 9, 6}, 11, 3, 2, 1},
                                    {{1, 5, 9, 9}, 6, 3, 2, 0},
                                    {{2, 18, 6, 5}, 70, 1, 1, 0},
                                    {{1, 70, 64, 3}, 3, 3, 1, 1},
                                    // by Winograd's form: one block of tiles, several, longer sums than one slice
                                    {{1, 65, 16, 16}, 97, 3, 1, 1},
                                    {{3, 30, 15, 16}, 20, 3, 1, 1},
                                    {{2, 33, 24, 37}, 49, 3, 1, 1},
                                    {{1, 3, 70, 64}, 650, 3, 1, 1},
                                    {{1, 650, 20, 24}, 5, 3, 1, 1}};
  for (const ConvCase& c : cases) {
    const at::Tensor weight = random.normal({c.out, c.x[1], c.kernel, c.kernel}) * 0.2, bias = random.normal({c.out});
    expect_same(
        [&](const auto& in) -> std::vector<at::Tensor> {
          return {frozen_conv2d(in[0], weight, bias, c.stride, c.padding)};
        },
        [&](const auto& in) -> std::vector<at::Tensor> {
          return {at::conv2d(in[0], weight.to(at::kDouble), bias.to(at::kDouble), {c.stride, c.stride},
                             {c.padding, c.padding})};
        },
        {random.normal(c.x)}, "out " + std::to_string(c.out) + " kernel " + std::to_string(c.kernel));
  }
}

TEST(FrozenConv, OfAPictureDoesNotDependOnItsBatch) {
  RandomLoras random(8);
  for (const int64_t side : {8, 9, 16, 24}) {
    const at::Tensor x = random.normal({3, 40, side, side}), weight = random.normal({50, 40, 3, 3});
    const at::Tensor together = frozen_conv2d(x, weight, {}, 1, 1);
    for (int64_t n = 0; n < 3; ++n)
      EXPECT_TRUE(at::equal(together[n], frozen_conv2d(x.narrow(0, n, 1), weight, {}, 1, 1)[0])) << side;
  }
}

TEST(FrozenGroupNorm, IsAGroupNormWithItsGradient) {
  RandomLoras random(2);
  for (const After after : {After::nothing, After::silu}) {
    const at::Tensor weight = random.normal({12}), bias = random.normal({12});
    expect_same(
        [&](const auto& in) -> std::vector<at::Tensor> {
          return {frozen_group_norm(in[0], 4, weight, bias, 1e-5, after)};
        },
        [&](const auto& in) -> std::vector<at::Tensor> {
          const at::Tensor y = at::group_norm(in[0], 4, weight.to(at::kDouble), bias.to(at::kDouble), 1e-5);
          return {after == After::silu ? at::silu(y) : y};
        },
        {random.normal({2, 12, 5, 7}) * 3 + 1}, after == After::silu ? "silu" : "norm");
  }
}

/// One projection of the test: adapted where rank > 0.
struct Layer {
  int64_t out, rank;
  bool bias;
};

struct ProjectionCase {
  std::vector<int64_t> x;
  Before before;
  bool maps;
  bool out_maps;
  std::vector<Layer> layers;
};

at::Tensor plain_input(const at::Tensor& x, const ProjectionCase& c, const at::Tensor& weight, const at::Tensor& bias) {
  if (c.maps) return x.flatten(2).transpose(1, 2);
  if (c.before == Before::layer_norm)
    return at::layer_norm(x, {x.size(-1)}, weight.to(at::kDouble), bias.to(at::kDouble), 1e-5);
  if (c.before == Before::nothing) return x;
  const auto halves = x.chunk(2, -1);
  return halves[0] * at::gelu(halves[1]);
}

TEST(Projections, AreLinearLayersWithLowRankUpdatesAndTheirGradients) {
  RandomLoras random(3);
  const std::vector<ProjectionCase> cases{
      {{1, 40, 24}, Before::layer_norm, false, false, {{24, 4, false}, {24, 4, false}, {24, 4, false}}},
      {{2, 77, 20}, Before::nothing, false, false, {{33, 3, false}, {17, 0, true}}},
      {{2, 19, 64}, Before::geglu, false, false, {{48, 32, true}}},
      {{1, 700, 16}, Before::layer_norm, false, false, {{130, 8, true}}},
      {{2, 16, 5, 3}, Before::nothing, true, false, {{32, 4, true}}},
      {{2, 15, 16}, Before::nothing, false, true, {{24, 4, true}}},
      {{1, 1, 40}, Before::nothing, false, false, {{16, 0, true}}}};
  for (const ProjectionCase& c : cases) {
    const int64_t in = c.maps ? c.x[1] : c.before == Before::geglu ? c.x[2] / 2 : c.x[2];
    ProjectionInput input{.before = c.before, .maps = c.maps};
    if (c.before == Before::layer_norm) {
      input.norm_weight = random.normal({in});
      input.norm_bias = random.normal({in});
      input.norm_eps = 1e-5;
    }
    if (c.out_maps) input.out_maps = {c.x[0], c.layers[0].out, 3, c.x[1] / 3};
    std::vector<at::Tensor> inputs{random.normal(c.x)};
    std::vector<Projection> frozen;
    for (const Layer& layer : c.layers) {
      frozen.push_back(
          {random.normal({layer.out, in}) * 0.3, layer.bias ? random.normal({layer.out}) : at::Tensor(), {}, {}, 0.5});
      if (layer.rank == 0) continue;
      inputs.push_back(random.normal({layer.rank, in}) * 0.3);
      inputs.push_back(random.normal({layer.out, layer.rank}) * 0.3);
    }
    const auto with_factors = [&](const std::vector<at::Tensor>& values) {
      std::vector<Projection> layers = frozen;
      for (size_t i = 0, at = 1; i < layers.size(); ++i)
        if (c.layers[i].rank > 0) layers[i].a = values[at++], layers[i].b = values[at++];
      return layers;
    };
    expect_same([&](const auto& values) { return project(values[0], input, with_factors(values)); },
                [&](const auto& values) {
                  const at::Tensor z = plain_input(values[0], c, input.norm_weight, input.norm_bias);
                  std::vector<at::Tensor> outputs;
                  for (const Projection& p : with_factors(values)) {
                    at::Tensor y = at::matmul(z, p.weight.to(at::kDouble).t());
                    if (p.bias.defined()) y = y + p.bias.to(at::kDouble);
                    if (p.a.defined()) y = y + at::matmul(at::matmul(z, p.a.t()), p.b.t()) * p.scale;
                    outputs.push_back(c.out_maps ? y.transpose(1, 2).reshape(input.out_maps) : y);
                  }
                  return outputs;
                },
                inputs, "in " + std::to_string(in) + " out " + std::to_string(c.layers[0].out));
  }
}

TEST(Attention, ByBlocksIsSoftmaxAttentionWithItsGradients) {
  RandomLoras random(4);
  struct Case {
    int64_t batch, queries, keys, heads, width;
  };
  for (const Case& c :
       {Case{1, 1, 1, 1, 4}, Case{2, 40, 77, 2, 8}, Case{1, 300, 300, 2, 40}, Case{1, 33, 130, 1, 160}}) {
    expect_same(
        [&](const auto& in) -> std::vector<at::Tensor> { return {attention(in[0], in[1], in[2], c.heads)}; },
        [&](const auto& in) -> std::vector<at::Tensor> { return {attention(in[0], in[1], in[2], c.heads)}; },
        {random.normal({c.batch, c.queries, c.heads * c.width}) * 2,
         random.normal({c.batch, c.keys, c.heads * c.width}), random.normal({c.batch, c.keys, c.heads * c.width})},
        "queries " + std::to_string(c.queries));
  }
}

TEST(FrozenLayers, GiveTheSameBitsWhateverTheThreads) {
  RandomLoras random(5);
  const at::Tensor x = random.normal({1, 64, 16, 16}), weight = random.normal({96, 64, 3, 3});
  const at::Tensor tokens = random.normal({1, 256, 64}), linear = random.normal({96, 64}), a = random.normal({4, 64});
  const auto all = [&](int threads) {
    at::set_num_threads(threads);
    const std::vector<Projection> layers{{linear, {}, a, random.normal({96, 4}) * 0 + 1, 1.0}};
    return outcome(
        [&](const auto& in) -> std::vector<at::Tensor> {
          return {frozen_conv2d(in[0], weight, {}, 1, 1), project(in[1], {}, layers)[0],
                  attention(in[1], in[1], in[1], 2)};
        },
        {x, tokens}, at::kFloat);
  };
  const int before = at::get_num_threads();
  const Outcome one = all(1), three = all(3);
  at::set_num_threads(before);
  for (size_t i = 0; i < one.outputs.size(); ++i) EXPECT_TRUE(at::equal(one.outputs[i], three.outputs[i])) << i;
  for (size_t i = 0; i < one.gradients.size(); ++i) EXPECT_TRUE(at::equal(one.gradients[i], three.gradients[i])) << i;
}

TEST(Layers, WhoseWeightsLearnGiveThemGradients) {
  RandomLoras random(6);
  const Linear linear{random.normal({5, 4}).requires_grad_(true), {}};
  const Conv2d conv{random.normal({5, 4, 3, 3}).requires_grad_(true), random.normal({5}), 1, 1};
  const GroupNorm norm{random.normal({4}).requires_grad_(true), random.normal({4}), 2, 1e-5};
  const at::Tensor maps = random.normal({1, 4, 6, 6});
  linear(random.normal({1, 3, 4})).sum().backward();
  conv(norm(maps, After::silu)).sum().backward();
  for (const at::Tensor& weight : {linear.weight, conv.weight, norm.weight}) EXPECT_TRUE(weight.grad().defined());
}

}  // namespace
}  // namespace atelier::diffusion
