#include "lora/diff_node.h"

#include "diffusion/lora_operations.h"
#include "lora/lora_result.h"
#include "lora/reduction_params.h"
#include "model/loras.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

constexpr const char* kSubtract = "subtract";
constexpr const char* kSubspace = "subspace";
constexpr const char* kLeft = "left";
constexpr const char* kBoth = "both";

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "diff";
  spec.summary =
      "Subtracts one LoRA from another, on dW = alpha / rank * B A: exact, for unequal ranks and alphas too.";
  spec.inputs = {{"minuend", "lora", "The LoRA to subtract from."}, {"subtrahend", "lora", "The LoRA to take away."}};
  spec.outputs = {{"lora", "lora", "minuend - subtrahend."}};
  spec.params = reduction_params("the exact difference, whose rank may be the sum of both");
  spec.params.push_back({.name = "method",
                         .type = ValueType::text,
                         .value = kSubtract,
                         .summary = "subtract: the difference; subspace: the minuend without all that it writes where "
                                    "the subtrahend writes too, whatever it is.",
                         .choices = {kSubtract, kSubspace}});
  spec.params.push_back({.name = "sides",
                         .type = ValueType::text,
                         .value = kLeft,
                         .summary =
                             "Of the method subspace; left: what the subtrahend writes is taken away; both: what "
                             "it reads too.",
                         .choices = {kLeft, kBoth}});
  return spec;
}

diffusion::DiffOptions options_of(const Params& params) {
  using enum diffusion::DiffMethod;
  using enum diffusion::RemovedSides;
  return {.method = params.text("method") == kSubspace ? subspace : subtract,
          .sides = params.text("sides") == kBoth ? both : left,
          .limit = rank_limit_of(params)};
}

class DiffNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    if (auto wrong = check_reduction(params); !wrong.empty()) return {wrong};
    return {};
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    return call_torch(job.context, [&] { return subtract(job); });
  }

 private:
  static Expected<Outputs> subtract(const Job& job) {
    const auto minuend = lora_of(job.input("minuend")), subtrahend = lora_of(job.input("subtrahend"));
    if (!minuend) return tl::unexpected(minuend.error());
    if (!subtrahend) return tl::unexpected(subtrahend.error());
    const auto made = diffusion::diff(as_diffusion(*minuend), as_diffusion(*subtrahend), options_of(job.params));
    if (!made) return passed_on(made.error());
    if (minuend->base && subtrahend->base && *minuend->base != *subtrahend->base)
      job.context.warn("the two LoRAs were trained on different base models");
    return lora_outputs(*made, minuend->base, job.context);
  }
};

}  // namespace

std::unique_ptr<const Node> make_diff_node() { return std::make_unique<DiffNode>(); }

}  // namespace atelier
