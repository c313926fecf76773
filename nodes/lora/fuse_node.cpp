#include "lora/fuse_node.h"

#include <fmt/format.h>

#include "lora/lora_weights.h"
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
  spec.inputs = {{"base", "model", "The model to add to; a fused one gets these LoRAs besides its own."},
                 {.name = "loras", .type = "lora", .summary = "What to add, in the order of `weights`.", .many = true}};
  spec.outputs = {{"model", "model", "The sum, as its recipe; an output of it is a diffusers folder or one file."}};
  spec.params = {weights_param(), dtype_param()};
  return spec;
}

// Empty where the LoRAs are for the base's architecture; said now, and not when the sum is written.
std::string wrong_architecture(const Model& model, const std::vector<FusedLora>& loras, Context& context) {
  const auto base = open_base(model, context);
  if (!base) return base.error().message;
  for (std::size_t i = 0; i < loras.size(); ++i) {
    auto wrong = foreign_architecture(loras[i].lora, base->architecture(), fmt::format("LoRA {}", i + 1));
    if (!wrong.empty()) return wrong;
  }
  return {};
}

class FuseNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  std::vector<std::string> check(const Params& params,
                                 const std::map<std::string, std::size_t>& list_sizes) const override {
    if (auto wrong = check_weights(params, list_sizes); !wrong.empty()) return {wrong};
    return {};
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    return call_torch(job.context, [&]() -> Expected<Outputs> {
      auto model = Model::from(job.input("base"));
      if (!model) return tl::unexpected(model.error());
      auto loras = weighted_loras(job, base_digest(*model));
      if (!loras) return tl::unexpected(loras.error());
      if (auto wrong = wrong_architecture(*model, *loras, job.context); !wrong.empty()) return failure(wrong);
      for (auto& lora : *loras) model->loras.push_back(std::move(lora));
      set_dtype(*model, job.params);
      return Outputs{{"model", model->to_artifact()}};
    });
  }
};

}  // namespace

std::unique_ptr<const Node> make_fuse_node() { return std::make_unique<FuseNode>(); }

}  // namespace atelier
