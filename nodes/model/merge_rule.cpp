#include "model/merge_rule.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "model/torch_call.h"

namespace atelier {

std::optional<diffusion::MergeMethod> merge_method_of(const MergeRule& rule) {
  if (rule.method == kTies) return diffusion::Ties{rule.density};
  if (rule.method == kDare) return diffusion::Dare{rule.density, drop_source(rule.seed)};
  return std::nullopt;
}

diffusion::DropSource drop_source(std::int64_t seed) {
  return [seed](std::string_view layer, std::size_t lora, std::span<float> values) {
    const auto subject = Encoder().text(layer).integer(static_cast<std::int64_t>(lora)).finish();
    RandomStream(seed, "dare", subject).fill_uniform(values, 0, 1);
    // In float32 a draw may round up to 1, which would be dropped even where all are to stay.
    std::ranges::replace(values, 1.0F, std::nextafter(1.0F, 0.0F));
  };
}

Expected<diffusion::BlockWeights> block_weights_of(const std::string& text) {
  if (text.empty()) return diffusion::BlockWeights();
  auto weights = diffusion::BlockWeights::parse(text);
  if (!weights) return passed_on(weights.error());
  return std::move(*weights);
}

Expected<std::vector<diffusion::BlockWeights>> blocks_of_loras(const Model& model) {
  std::vector<diffusion::BlockWeights> all(model.loras.size());
  if (!model.merge || model.merge->blocks.empty()) return all;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto blocks = block_weights_of(model.merge->blocks[i]);
    if (!blocks) return tl::unexpected(blocks.error());
    all[i] = std::move(*blocks);
  }
  return all;
}

}  // namespace atelier
