#include "probe/probe_net.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/random.h"
#include "probe/identity.h"
#include "probe/picture_tensor.h"
#include "probe/probe_targets.h"

namespace atelier::probe {
namespace {

struct Step {
  std::int64_t from, to, stride;  // channels; a step that changes neither size nor channels adds to its input
};
constexpr std::array<Step, 7> kSteps{
    {{3, 24, 2}, {24, 48, 2}, {48, 64, 2}, {64, 64, 1}, {64, 96, 2}, {96, 96, 1}, {96, 128, 2}}};
constexpr std::int64_t kGroups = 8;               // of a norm
constexpr std::int64_t kPlaces = 4 * 4;           // kSide halved five times
constexpr std::int64_t kLast = kSteps.back().to;  // channels at the end
constexpr std::int64_t kSqueezed = 32;            // channels of which each place is kept
static_assert(kSide == 128);

at::Tensor random_weight(const std::string& name, at::IntArrayRef shape, RandomStream stream) {
  if (name.ends_with("norm.weight")) return at::ones(shape);
  if (shape.size() < 2) return at::zeros(shape);
  const auto count = c10::multiply_integers(shape);
  std::vector<float> draws(static_cast<std::size_t>(count));
  stream.fill_normal(draws);
  const double inputs = static_cast<double>(count) / static_cast<double>(shape.front());
  const double gain = name == "answer.weight" ? 0.1 : std::sqrt(2.0);  // the first answers are near "anything"
  return at::tensor(draws).view(shape) * (gain / std::sqrt(inputs));
}

std::int64_t answer_count() { return static_cast<std::int64_t>(value_count() + identity_names().size()); }

}  // namespace

at::Tensor ProbeNet::taken(diffusion::WeightReader& reader, const std::string& name, at::IntArrayRef shape) {
  return weights_[name] = reader.take(name, shape);
}

ProbeNet::ProbeNet(diffusion::WeightReader& reader) {
  for (std::size_t i = 0; i < kSteps.size(); ++i) {
    const auto [from, to, stride] = kSteps[i];
    const std::string name = fmt::format("blocks.{}.", i);
    blocks_.push_back({taken(reader, name + "conv.weight", {to, from, 3, 3}), taken(reader, name + "norm.weight", {to}),
                       taken(reader, name + "norm.bias", {to}), stride});
  }
  squeeze_weight_ = taken(reader, "squeeze.weight", {kSqueezed, kLast, 1, 1});
  squeeze_bias_ = taken(reader, "squeeze.bias", {kSqueezed});
  answer_weight_ = taken(reader, "answer.weight", {answer_count(), kSqueezed * kPlaces + kLast});
  answer_bias_ = taken(reader, "answer.bias", {answer_count()});
}

ProbeNet ProbeNet::random(std::int64_t seed) {
  auto blank = diffusion::WeightReader::blank();
  const ProbeNet shapes(blank);
  const RandomStream streams(seed, "probe weights", Digest{});
  std::uint64_t which = 0;
  diffusion::WeightMap weights;
  for (const auto& [name, shape] : blank.asked()) weights[name] = random_weight(name, shape, streams.at(which++));
  diffusion::WeightReader reader(std::move(weights), "random weights");
  return ProbeNet(reader);
}

diffusion::Result<ProbeNet> ProbeNet::create(const diffusion::WeightMap& weights, const std::string& origin) {
  diffusion::WeightReader reader(weights, origin);
  ProbeNet net(reader);
  if (auto fits = reader.check(); !fits) return tl::unexpected(fits.error());
  return net;
}

Answers ProbeNet::forward(const at::Tensor& pictures) const {
  at::Tensor x = pictures * 2 - 1;  // [N, 3, 128, 128]
  for (const Block& block : blocks_) {
    const at::Tensor y = at::silu(
        at::group_norm(at::conv2d(x, block.weight, {}, block.stride, 1), kGroups, block.norm_weight, block.norm_bias));
    x = y.sizes() == x.sizes() ? x + y : y;
  }
  // [N, 128, 4, 4]: what is there anywhere, and a little of what is where
  const at::Tensor anywhere = x.mean({2, 3}), where = at::silu(at::conv2d(x, squeeze_weight_, squeeze_bias_));
  const at::Tensor answers = at::linear(at::cat({where.flatten(1), anywhere}, 1), answer_weight_, answer_bias_);
  const auto values = static_cast<std::int64_t>(value_count());
  return {answers.narrow(1, 0, values), answers.narrow(1, values, answers.size(1) - values)};
}

}  // namespace atelier::probe
