#include "training/training_batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "model/tensors.h"

namespace atelier {
namespace {

constexpr std::int64_t kHeldOutDraws = 4;       // of noise and timestep for each photo
constexpr std::size_t kMostHeldOutPhotos = 64;  // of a dataset

// One row before it is stacked.
struct Row {
  const DatasetItem* item = nullptr;
  at::Tensor latents, noise;  // [4, h, w]
  std::int64_t timestep = 0;
  double weight = 1;
  RowWords words;
};

at::Tensor normal(std::span<const std::int64_t> shape, RandomStream stream) {
  auto values = at::empty({shape.data(), shape.size()}, at::kFloat);
  stream.fill_normal({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())});
  return values;
}

Row row_of(const Dataset& dataset, const Visit& visit, double weight, const BatchSettings& settings) {
  const auto& item = dataset.items[visit.item];
  const auto& shape = item.mean.shape();
  const auto stream = [&](std::string_view purpose) {
    return RandomStream(settings.seed, purpose, item.photo).at(visit.visit);
  };
  Row row;
  row.item = &item;
  row.weight = weight * item.weight;
  const auto draw = normal(shape, stream("posterior of a visit"));
  row.latents = (as_torch(item.mean) + as_torch(item.deviation) * draw) * settings.scaling_factor;
  row.noise = normal(shape, stream("noise of a visit"));
  if (settings.noise_offset > 0) {
    const std::int64_t channel[] = {shape[0], 1, 1};
    row.noise = row.noise + normal(channel, stream("noise offset of a visit")) * settings.noise_offset;
  }
  const auto count = static_cast<std::uint64_t>(settings.timesteps - settings.min_timestep);
  row.timestep = settings.min_timestep + static_cast<std::int64_t>(stream("timestep of a visit").below(count));
  row.words = {visit.dataset, caption_of_visit(item, visit.visit, settings.captions)};
  return row;
}

at::Tensor sizes_of(std::span<const Row> rows) {
  std::vector<float> ids;
  for (const auto& row : rows)
    for (const auto id : row.item->sizes.time_ids()) ids.push_back(static_cast<float>(id));
  return at::tensor(ids).view({static_cast<std::int64_t>(rows.size()), 6});
}

at::Tensor validity_of(const DatasetItem& item) {
  return item.validity ? as_torch(*item.validity) : at::ones_like(as_torch(item.mask));
}

Expected<diffusion::TrainingBatch> stacked(std::span<const Row> rows, const BatchSettings& settings,
                                           const RowTexts& texts) {
  std::vector<at::Tensor> latents, noise, masks, validities;
  std::vector<std::int64_t> timesteps;
  std::vector<float> weights;
  std::vector<RowWords> words;
  for (const auto& row : rows) {
    latents.push_back(row.latents);
    noise.push_back(row.noise);
    timesteps.push_back(row.timestep);
    masks.push_back(as_torch(row.item->mask).unsqueeze(0));
    if (settings.validity) validities.push_back(validity_of(*row.item).unsqueeze(0));
    weights.push_back(static_cast<float>(row.weight));
    words.push_back(row.words);
  }
  diffusion::TrainingBatch batch;
  batch.latents = at::stack(latents).to(settings.device);                             // [N, 4, h, w]
  batch.noise = at::stack(noise).to(settings.device);                                 // [N, 4, h, w]
  batch.timesteps = at::tensor(timesteps, at::kLong).to(settings.device);             // [N]
  batch.masks = at::stack(masks).to(settings.device);                                 // [N, 1, h, w]
  if (settings.validity) batch.validity = at::stack(validities).to(settings.device);  // [N, 1, h, w]
  if (settings.sizes) batch.time_ids = sizes_of(rows).to(settings.device);            // [N, 6]
  batch.weights = at::tensor(weights, at::kFloat).to(settings.device);                // [N]
  if (auto put = texts.put(words, settings.device, batch); !put) return tl::unexpected(put.error());
  return batch;
}

// Rows of one size each.
std::vector<std::vector<Row>> by_size(std::vector<Row> rows) {
  std::vector<std::vector<Row>> groups;
  for (auto& row : rows) {
    const auto fits = [&](const auto& group) { return group.front().latents.sizes() == row.latents.sizes(); };
    auto group = std::ranges::find_if(groups, fits);
    if (group == groups.end()) group = groups.insert(groups.end(), std::vector<Row>{});
    group->push_back(std::move(row));
  }
  return groups;
}

// The photos that are no mirrored copies; of more than kMostHeldOutPhotos as many, evenly spread.
std::vector<const DatasetItem*> held_out_items(const Dataset& dataset) {
  std::vector<const DatasetItem*> all, chosen;
  for (const auto& item : dataset.items)
    if (!item.mirrored) all.push_back(&item);
  const std::size_t count = std::min(all.size(), kMostHeldOutPhotos);
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(all[i * all.size() / count]);
  return chosen;
}

}  // namespace

Expected<std::vector<diffusion::TrainingBatch>> training_batches(std::span<const Dataset> datasets,
                                                                 const VisitPlan& plan, std::span<const Visit> visits,
                                                                 const BatchSettings& settings, const RowTexts& texts) {
  std::vector<Row> rows;
  for (const auto& visit : visits)
    rows.push_back(row_of(datasets[visit.dataset], visit, plan.row_weight(visit.dataset), settings));
  auto groups = by_size(std::move(rows));
  std::vector<diffusion::TrainingBatch> batches;
  for (auto& group : groups) {
    // A trainer takes the mean over batches of the mean over rows; wanted is the mean over all rows.
    const double share = static_cast<double>(group.size() * groups.size()) / static_cast<double>(visits.size());
    for (auto& row : group) row.weight *= share;
    auto batch = stacked(group, settings, texts);
    if (!batch) return tl::unexpected(batch.error());
    batches.push_back(std::move(*batch));
  }
  return batches;
}

Expected<std::vector<HeldOutPhoto>> held_out_photos(std::span<const Dataset> datasets, const BatchSettings& settings,
                                                    const RowTexts& texts) {
  std::vector<HeldOutPhoto> photos;
  const auto count = settings.timesteps - settings.min_timestep;
  for (std::size_t d = 0; d < datasets.size(); ++d)
    for (const auto* item : held_out_items(datasets[d])) {
      std::vector<Row> rows;
      for (std::int64_t draw = 0; draw < kHeldOutDraws; ++draw) {
        const auto stream =
            RandomStream(settings.seed, "held-out noise", item->photo).at(static_cast<std::uint64_t>(draw));
        Row row;
        row.item = item;
        row.weight = item->weight;
        row.words = {d, item->caption};
        row.latents = as_torch(item->mean) * settings.scaling_factor;
        row.noise = normal(item->mean.shape(), stream);
        row.timestep = settings.min_timestep + (2 * draw + 1) * count / (2 * kHeldOutDraws);  // the middles of quarters
        rows.push_back(std::move(row));
      }
      auto batch = stacked(rows, settings, texts);
      if (!batch) return tl::unexpected(batch.error());
      photos.push_back({d, std::move(*batch)});
    }
  return photos;
}

}  // namespace atelier
