#include "training/crop_visits.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "base/random.h"
#include "model/tensors.h"
#include "training/signed_pixels.h"

namespace atelier {
namespace {

std::vector<Dataset> as_dataset(std::span<const Image> images) {
  Dataset dataset;
  for (const auto& image : images) {
    DatasetItem item;
    item.name = image.name;
    item.photo = image.photo;
    item.repeats = image.repeats;
    dataset.items.push_back(std::move(item));
  }
  return {std::move(dataset)};
}

}  // namespace

CropVisits::CropVisits(std::span<const Image> images, const CropSettings& settings)
    : images_(images),
      settings_(settings),
      as_dataset_(as_dataset(images)),
      plan_(as_dataset_, settings.batch_size, settings.seed) {}

Expected<CropVisits> CropVisits::of(std::span<const Image> images, const CropSettings& settings) {
  if (images.empty()) return failure("there are no images to train on");
  for (const auto& image : images)
    if (image.width() < settings.side || image.height() < settings.side)
      return failure(fmt::format("{}: {} x {} px, smaller than the squares of {} px that are cut out (param 'crop')",
                                 image.name, image.width(), image.height(), settings.side));
  return CropVisits(images, settings);
}

const std::vector<Visit>& CropVisits::visits(std::int64_t step) {
  if (step != step_) visits_ = plan_.step(step);
  step_ = step;
  return visits_;
}

at::Tensor CropVisits::pictures(std::int64_t step) {
  std::vector<at::Tensor> squares;
  for (const auto& visit : visits(step)) {
    const auto& image = images_[visit.item];
    auto draw = RandomStream(settings_.seed, "square of a visit", image.photo).at(visit.visit);
    const auto place = [&](std::int64_t length) {
      return static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(length - settings_.side + 1)));
    };
    const auto top = place(image.height()), left = place(image.width());
    const bool mirrored = draw.below(2) == 1 && settings_.mirror;
    const auto square = signed_pixels(
        as_torch(image.pixels).narrow(0, top, settings_.side).narrow(1, left, settings_.side));  // [3, side, side]
    squares.push_back(mirrored ? square.flip(2) : square);
  }
  return at::stack(squares).contiguous();
}

at::Tensor CropVisits::noise(std::int64_t step, std::int64_t channels, std::int64_t side) {
  std::vector<at::Tensor> all;
  for (const auto& visit : visits(step)) {
    auto values = at::empty({channels, side, side}, at::kFloat);
    RandomStream(settings_.seed, "noise of a square", images_[visit.item].photo)
        .at(visit.visit)
        .fill_normal({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())});
    all.push_back(std::move(values));
  }
  return at::stack(all);
}

}  // namespace atelier
