#include "lora/combine_node.h"

#include <fmt/format.h>

#include "diffusion/lora_operations.h"
#include "lora/block_params.h"
#include "lora/lora_result.h"
#include "lora/lora_weights.h"
#include "lora/merge_params.h"
#include "lora/reduction_params.h"
#include "model/loras.h"
#include "model/merge_rule.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "combine";
  spec.summary = "Makes one LoRA out of several: sum of weight * dW, exact for unequal ranks and alphas, or a merge.";
  spec.inputs = {
      {.name = "loras", .type = "lora", .summary = "What to combine, in the order of `weights`.", .many = true}};
  spec.outputs = {{"lora", "lora", "The LoRA that has the effect of all."}};
  spec.params = {weights_param(), blocks_param()};
  for (auto& param : merge_params()) spec.params.push_back(std::move(param));
  for (auto& param :
       reduction_params("the exact sum, whose rank may be the sum of all; ties and dare need one of them"))
    spec.params.push_back(std::move(param));
  return spec;
}

// The base that all LoRAs were trained on that say it; tells where they differ, and takes the first.
std::optional<Digest> base_of(const std::vector<FusedLora>& loras, Context& context) {
  std::optional<Digest> first;
  bool told = false;
  for (const auto& fused : loras) {
    const auto& base = fused.lora.base;
    if (!first) first = base;
    if (!base || *base == *first || told) continue;
    context.warn("the LoRAs were trained on different base models");
    told = true;
  }
  return first;
}

class CombineNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  std::vector<std::string> check(const Params& params,
                                 const std::map<std::string, std::size_t>& list_sizes) const override {
    auto wrong = check_combination(params, list_sizes);
    const auto rule = merge_rule_of(params);
    auto reduction = check_reduction(params, rule ? fmt::format("the method {}", rule->method) : "");
    if (!reduction.empty()) wrong.push_back(std::move(reduction));
    return wrong;
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    return call_torch(job.context, [&] { return combine(job); });
  }

 private:
  static Expected<Outputs> combine(const Job& job) {
    const auto loras = weighted_loras(job);
    if (!loras) return tl::unexpected(loras.error());
    std::vector<diffusion::Lora> values;
    for (const auto& weighted : *loras) values.push_back(as_diffusion(weighted.lora));
    const auto blocks = block_weights(job.params, values);
    if (!blocks) return tl::unexpected(blocks.error());
    std::vector<diffusion::WeightedLora> terms;
    for (std::size_t i = 0; i < values.size(); ++i) terms.push_back({&values[i], (*loras)[i].weight, (*blocks)[i]});
    diffusion::CombineOptions options{.method = {}, .limit = rank_limit_of(job.params)};
    if (const auto rule = merge_rule_of(job.params)) options.method = merge_method_of(*rule);
    const auto made = diffusion::combine(terms, options);
    if (!made) return passed_on(made.error());
    return lora_outputs(*made, base_of(*loras, job.context), job.context);
  }
};

}  // namespace

std::unique_ptr<const Node> make_combine_node() { return std::make_unique<CombineNode>(); }

}  // namespace atelier
