#include "lora/lora_weights.h"

#include <fmt/format.h>

#include "model/loras.h"

namespace atelier {

ParamSpec weights_param() {
  return {.name = "weights",
          .type = ValueType::list,
          .summary = "How much each LoRA counts, usually 0 to 1 (outside is allowed and told); absent: 1 each.",
          .element = ValueType::number};
}

std::string check_weights(const Params& params, const std::map<std::string, std::size_t>& list_sizes) {
  if (!params.given("weights")) return {};
  const auto found = list_sizes.find("loras");
  const auto sources = found == list_sizes.end() ? 0 : found->second;
  const auto weights = params.numbers("weights").size();
  if (weights == sources) return {};
  return fmt::format("param 'weights' has {} number{}, port 'loras' {} source{}; there must be one for each", weights,
                     weights == 1 ? "" : "s", sources, sources == 1 ? "" : "s");
}

Expected<std::vector<FusedLora>> weighted_loras(const Job& job) {
  const auto& artifacts = job.input_list("loras");
  auto weights = std::vector<double>(artifacts.size(), 1.0);
  if (job.params.given("weights")) weights = job.params.numbers("weights");
  if (weights.size() != artifacts.size()) return failure("weights and loras differ in number", ErrorKind::fault);
  std::vector<FusedLora> loras;
  for (std::size_t i = 0; i < artifacts.size(); ++i) {
    auto lora = lora_of(artifacts[i]);
    if (!lora) return tl::unexpected(lora.error());
    if (weights[i] < 0 || weights[i] > 1)
      job.context.warn(fmt::format("LoRA {} has the weight {}, outside 0 to 1", i + 1, weights[i]));
    loras.push_back({std::move(*lora), weights[i]});
  }
  return loras;
}

Expected<std::vector<FusedLora>> weighted_loras(const Job& job, const Model& base) {
  if (base.merge && !job.input_list("loras").empty())
    return failure(
        fmt::format("the LoRAs of this model are merged by the method {}, which takes all at once: give its "
                    "base to one fuse with all of them",
                    base.merge->method));
  auto loras = weighted_loras(job);
  if (!loras) return loras;
  const auto digest = base_digest(base);
  for (std::size_t i = 0; i < loras->size(); ++i) {
    auto warning = foreign_base_warning((*loras)[i].lora, digest, fmt::format("LoRA {}", i + 1));
    if (!warning.empty()) job.context.warn(warning);
  }
  return loras;
}

}  // namespace atelier
