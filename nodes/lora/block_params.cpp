#include "lora/block_params.h"

#include <fmt/format.h>

#include "model/merge_rule.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

std::string plural(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

ParamSpec blocks_param() {
  return {.name = "blocks",
          .type = ValueType::list,
          .value = Value::List{},
          .summary =
              "What the blocks of each LoRA count besides its weight, such as \"in=0,mid=1,out=0.5\": one text "
              "for all LoRAs, or one for each, \"\" where all blocks count 1.",
          .element = ValueType::text};
}

std::vector<std::string> check_blocks(const Params& params, const std::map<std::string, std::size_t>& list_sizes) {
  std::vector<std::string> wrong;
  const auto texts = params.texts("blocks");
  const auto found = list_sizes.find("loras");
  const auto sources = found == list_sizes.end() ? 0 : found->second;
  if (texts.size() > 1 && texts.size() != sources)
    wrong.push_back(fmt::format("param 'blocks' has {}, port 'loras' {}; there must be one for all or one for each",
                                plural(texts.size(), "text"), plural(sources, "source")));
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (const auto weights = block_weights_of(texts[i]); !weights)
      wrong.push_back(fmt::format("param 'blocks', text {}: {}", i + 1, weights.error().message));
  return wrong;
}

std::vector<std::string> block_texts(const Params& params, std::size_t loras) {
  auto texts = params.texts("blocks");
  if (texts.size() == 1) texts.resize(loras, texts.front());
  return texts;
}

Expected<std::vector<diffusion::BlockWeights>> block_weights(const Params& params,
                                                             std::span<const diffusion::Lora> loras) {
  const auto texts = block_texts(params, loras.size());
  if (texts.empty()) return std::vector<diffusion::BlockWeights>(loras.size());
  if (texts.size() != loras.size()) return failure("blocks and loras differ in number", ErrorKind::fault);
  std::vector<diffusion::BlockWeights> weights;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto parsed = block_weights_of(texts[i]);
    if (!parsed) return tl::unexpected(parsed.error());
    if (const auto used = parsed->check_used_by(loras[i]); !used)
      return failure(fmt::format("LoRA {}: {}", i + 1, used.error().message));
    weights.push_back(std::move(*parsed));
  }
  return weights;
}

}  // namespace atelier
