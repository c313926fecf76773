#include "lora/resize_lora_node.h"

#include "diffusion/lora_operations.h"
#include "lora/lora_result.h"
#include "lora/reduction_params.h"
#include "model/loras.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "resize_lora";
  spec.summary = "Reduces a LoRA: of each layer the nearest one of a lower rank; give rank, energy or error.";
  spec.inputs = {{"lora", "lora", "The LoRA to reduce."}};
  spec.outputs = {{"lora", "lora", "The reduced one; layers that lose nothing stay as they are."}};
  spec.params = reduction_params();
  return spec;
}

class ResizeLoraNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    if (auto wrong = check_reduction(params, "resize_lora"); !wrong.empty()) return {wrong};
    return {};
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    return call_torch(job.context, [&]() -> Expected<Outputs> {
      const auto lora = lora_of(job.input("lora"));
      if (!lora) return tl::unexpected(lora.error());
      const auto limit = rank_limit_of(job.params);
      const auto made = diffusion::resize(as_diffusion(*lora), limit.value_or(diffusion::RankLimit()));
      if (!made) return passed_on(made.error());
      return lora_outputs(*made, lora->base, job.context);
    });
  }
};

}  // namespace

std::unique_ptr<const Node> make_resize_lora_node() { return std::make_unique<ResizeLoraNode>(); }

}  // namespace atelier
