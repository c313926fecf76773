#include "lora/fuse_node.h"

#include <fmt/format.h>

#include "diffusion/lora_operations.h"
#include "lora/block_params.h"
#include "lora/lora_weights.h"
#include "lora/merge_params.h"
#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/loras.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "fuse";
  spec.summary = "Adds LoRAs to a base model: W' = W + sum of weight * dW, in float32, cast once when it is written.";
  spec.keep = Keep::recipe;
  spec.inputs = {
      {"base", "model", "The model to add to; a fused one gets these LoRAs besides its own, where the method is sum."},
      {.name = "loras", .type = "lora", .summary = "What to add, in the order of `weights`.", .many = true}};
  spec.outputs = {{"model", "model", "The sum, as its recipe; an output of it is a diffusers folder or one file."}};
  spec.params = {weights_param(), blocks_param()};
  for (auto& param : merge_params()) spec.params.push_back(std::move(param));
  spec.params.push_back(dtype_param());
  return spec;
}

// An Error where a LoRA is for another architecture than the base's; said now, and not when the sum is written.
Expected<void> check_architectures(const Model& model, std::span<const diffusion::Lora> loras, Context& context) {
  const auto base = open_base(model, context);
  if (!base) return tl::unexpected(base.error());
  for (std::size_t i = 0; i < loras.size(); ++i) {
    const auto right = diffusion::check_architecture(loras[i], base->architecture(), fmt::format("LoRA {}", i + 1));
    if (!right) return passed_on(right.error());
  }
  return {};
}

// Each layer's dW times the weight of its block; layers that count nothing are left out.
void count_blocks(LoraSet& lora, const diffusion::BlockWeights& blocks) {
  std::erase_if(lora.layers, [&](const auto& layer) { return blocks.of(layer.first) == 0; });
  for (auto& [name, factors] : lora.layers) factors.alpha *= blocks.of(name);
}

class FuseNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  std::vector<std::string> check(const Params& params,
                                 const std::map<std::string, std::size_t>& list_sizes) const override {
    return check_combination(params, list_sizes);
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    return call_torch(job.context, [&] { return fuse(job); });
  }

 private:
  static Expected<Outputs> fuse(const Job& job) {
    auto model = Model::from(job.input("base"));
    if (!model) return tl::unexpected(model.error());
    auto rule = merge_rule_of(job.params);
    if (rule && !model->loras.empty())
      return failure(
          fmt::format("the method {} takes all LoRAs at once, and this base is fused already: give the base "
                      "without LoRAs, and all of them",
                      rule->method));
    auto loras = weighted_loras(job, *model);
    if (!loras) return tl::unexpected(loras.error());
    std::vector<diffusion::Lora> values;
    for (const auto& fused : *loras) values.push_back(as_diffusion(fused.lora));
    if (auto right = check_architectures(*model, values, job.context); !right) return tl::unexpected(right.error());
    const auto blocks = block_weights(job.params, values);
    if (!blocks) return tl::unexpected(blocks.error());
    if (rule)  // ties elects signs before anything is weighted: the weights of blocks stay apart from the factors
      rule->blocks = block_texts(job.params, loras->size());
    else
      for (std::size_t i = 0; i < loras->size(); ++i) count_blocks((*loras)[i].lora, (*blocks)[i]);
    for (auto& lora : *loras) model->loras.push_back(std::move(lora));
    if (rule) model->merge = std::move(*rule);
    set_dtype(*model, job.params);
    return Outputs{{"model", model->to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_fuse_node() { return std::make_unique<FuseNode>(); }

}  // namespace atelier
