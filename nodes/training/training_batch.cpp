#include "training/training_batch.h"

#include <ATen/ATen.h>

#include "base/random.h"
#include "model/tensors.h"

namespace atelier {
namespace {

at::Tensor normal_like(const Tensor& tensor, RandomStream stream) {
  auto values = at::empty(tensor.shape(), at::kFloat);
  stream.fill_normal({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())});
  return values;
}

}  // namespace

diffusion::TrainingBatch training_batch(std::span<const Dataset> datasets, const VisitPlan& plan,
                                        std::span<const Visit> visits, const BatchSettings& settings) {
  std::vector<at::Tensor> latents, noise, context, masks;
  std::vector<std::int64_t> timesteps;
  std::vector<float> weights;
  for (const auto& visit : visits) {
    const auto& dataset = datasets[visit.dataset];
    const auto& item = dataset.items[visit.item];
    const auto stream = [&](std::string_view purpose) {
      return RandomStream(settings.seed, purpose, item.photo).at(visit.visit);
    };
    const auto draw = normal_like(item.mean, stream("posterior of a visit"));
    latents.push_back((as_torch(item.mean) + as_torch(item.deviation) * draw) * settings.scaling_factor);
    noise.push_back(normal_like(item.mean, stream("noise of a visit")));
    timesteps.push_back(
        static_cast<std::int64_t>(stream("timestep of a visit").below(static_cast<std::uint64_t>(settings.timesteps))));
    context.push_back(as_torch(dataset.texts.at(item.caption)));
    masks.push_back(as_torch(item.mask).unsqueeze(0));
    weights.push_back(static_cast<float>(plan.row_weight(visit.dataset) * item.weight));
  }
  diffusion::TrainingBatch batch;
  batch.latents = at::stack(latents).to(settings.device);                  // [N, 4, h, w]
  batch.noise = at::stack(noise).to(settings.device);                      // [N, 4, h, w]
  batch.timesteps = at::tensor(timesteps, at::kLong).to(settings.device);  // [N]
  batch.text.context = at::stack(context).to(settings.device);                  // [N, 77, D]
  batch.masks = at::stack(masks).to(settings.device);                      // [N, 1, h, w]
  batch.weights = at::tensor(weights, at::kFloat).to(settings.device);     // [N]
  return batch;
}

diffusion::Lora starting_lora(std::span<const diffusion::LoraTarget> targets, std::int64_t rank, double alpha,
                              std::int64_t seed, const Digest& base) {
  return diffusion::initial_lora(targets, rank, alpha, [&](std::string_view layer, std::span<float> values) {
    const auto subject = Encoder().digest(base).text(layer).integer(rank).finish();
    RandomStream(seed, "initial LoRA", subject).fill_uniform(values, 0, 1);
  });
}

}  // namespace atelier
