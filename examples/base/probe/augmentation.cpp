#include "probe/augmentation.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <array>

namespace atelier::probe {
namespace {

constexpr std::int64_t kMostShift = 6;  // pixels

double between(RandomStream& s, double low, double high) { return low + (high - low) * s.uniform(); }
bool chance(RandomStream& s, double probability) { return s.uniform() < probability; }

at::Tensor resized(const at::Tensor& picture, std::int64_t side) {  // [1, 3, side, side]
  return at::upsample_bilinear2d(picture, {side, side}, /*align_corners=*/false);
}

// [1, 3, H, W] from itself with its edges repeated outwards.
at::Tensor shifted(const at::Tensor& picture, RandomStream& s) {
  const auto offset = [&] { return static_cast<std::int64_t>(s.below(2 * kMostShift + 1)); };
  const std::int64_t x = offset(), y = offset();
  return at::replication_pad2d(picture, {kMostShift, kMostShift, kMostShift, kMostShift})
      .narrow(2, y, picture.size(2))
      .narrow(3, x, picture.size(3));
}

// Details lost by averaging down and enlarging again.
at::Tensor coarsened(const at::Tensor& picture, RandomStream& s) {
  const std::int64_t side = picture.size(2);
  const auto small = static_cast<std::int64_t>(static_cast<double>(side) / between(s, 1.3, 3.2));
  return resized(at::adaptive_avg_pool2d(picture, {small, small}), side);
}

// What an autoencoder's reconstruction does: fine texture goes, and half of what is lost comes back.
at::Tensor smoothed(const at::Tensor& picture, RandomStream& s) {
  const at::Tensor soft = at::avg_pool2d(at::replication_pad2d(picture, {2, 2, 2, 2}), {5, 5}, {1, 1});
  return at::lerp(picture, soft, between(s, 0.4, 1));
}

// Patches of a wrong colour, 8 to 24 of them across.
at::Tensor mottled(const at::Tensor& picture, RandomStream& s) {
  const auto across = static_cast<std::int64_t>(8 + s.below(17));
  std::vector<float> draws(static_cast<std::size_t>(3 * across * across));
  s.fill_normal(draws);
  const at::Tensor patches = at::tensor(draws).view({1, 3, across, across}) * between(s, 0.01, 0.07);
  return picture + resized(patches, picture.size(2));
}

at::Tensor lit_otherwise(const at::Tensor& picture, RandomStream& s) {
  const double contrast = between(s, 0.8, 1.2), brightness = between(s, -0.06, 0.06);
  const std::array<float, 3> tints{static_cast<float>(between(s, -0.02, 0.02)),
                                   static_cast<float>(between(s, -0.02, 0.02)),
                                   static_cast<float>(between(s, -0.02, 0.02))};
  return (picture - 0.5) * contrast + (0.5 + brightness) + at::tensor(tints).view({1, 3, 1, 1});
}

// From libtorch's generator, which is many times faster than the stream that seeds it.
at::Tensor noisy(const at::Tensor& picture, RandomStream& s) {
  const double deviation = between(s, 0.005, 0.06);
  return picture + deviation * at::randn(picture.sizes(), at::detail::createCPUGenerator(s.bits()), picture.options());
}

at::Tensor augmented_one(at::Tensor picture, RandomStream s) {
  picture = shifted(picture, s);
  if (chance(s, 0.4)) picture = coarsened(picture, s);
  if (chance(s, 0.3)) picture = smoothed(picture, s);
  if (chance(s, 0.4)) picture = mottled(picture, s);
  if (chance(s, 0.7)) picture = lit_otherwise(picture, s);
  if (chance(s, 0.5)) picture = noisy(picture, s);
  return picture.clamp(0, 1);
}

}  // namespace

at::Tensor augmented(const at::Tensor& pictures, const RandomStream& stream) {
  std::vector<at::Tensor> all;
  for (std::int64_t i = 0; i < pictures.size(0); ++i)
    all.push_back(augmented_one(pictures.narrow(0, i, 1), stream.at(static_cast<std::uint64_t>(i))));
  return at::cat(all);
}

}  // namespace atelier::probe
