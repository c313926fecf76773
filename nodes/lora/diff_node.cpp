#include "lora/diff_node.h"

#include <fmt/format.h>

#include "diffusion/lora_algebra.h"
#include "diffusion/lora_reduce.h"
#include "model/loras.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

constexpr double kToldError = 0.05;  // relative; a reduction that loses more than this is told

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "diff";
  spec.summary =
      "Subtracts one LoRA from another, on dW = alpha / rank * B A: exact, for unequal ranks and alphas too.";
  spec.inputs = {{"minuend", "lora", "The LoRA to subtract from."}, {"subtrahend", "lora", "The LoRA to take away."}};
  spec.outputs = {{"lora", "lora", "minuend - subtrahend."}};
  spec.params = {{.name = "rank",
                  .type = ValueType::integer,
                  .summary = "Reduces the result to this rank (QR and a small SVD) and reports the relative error; "
                             "absent: the exact difference, whose rank may be the sum of both.",
                  .minimum = 1,
                  .maximum = 4096}};
  return spec;
}

void tell_of_dropped(const diffusion::LoraDifference& difference, Context& context) {
  const auto dropped = difference.dropped.size(), all = dropped + difference.lora.layers.size();
  if (dropped == 0) return;
  if (dropped == all)
    context.warn("the two LoRAs are equal: nothing is left of their difference");
  else
    context.warn(fmt::format("{} of {} layers are equal in both LoRAs and left out, the first is {}", dropped, all,
                             difference.dropped.front()));
}

// The LoRA at `rank`, with what that costs.
Expected<diffusion::Lora> reduced(const diffusion::Lora& lora, std::int64_t rank, nlohmann::json& facts,
                                  Context& context) {
  auto reduction = diffusion::reduce(lora, {.rank = rank});
  if (!reduction) return passed_on(reduction.error());
  facts["relative_error"] = reduction->relative_error;
  context.metric("relative_error", 0, reduction->relative_error);
  if (reduction->relative_error > kToldError)
    context.warn(fmt::format("at rank {} the difference is {:.1f} % off; a higher rank keeps more of it", rank,
                             100 * reduction->relative_error));
  return std::move(reduction->lora);
}

class DiffNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    return call_torch(job.context, [&] { return subtract(job); });
  }

 private:
  static Expected<Outputs> subtract(const Job& job) {
    const auto minuend = lora_of(job.input("minuend")), subtrahend = lora_of(job.input("subtrahend"));
    if (!minuend) return tl::unexpected(minuend.error());
    if (!subtrahend) return tl::unexpected(subtrahend.error());
    auto difference = diffusion::subtract(as_diffusion(*minuend), as_diffusion(*subtrahend));
    if (!difference) return passed_on(difference.error());
    if (minuend->base && subtrahend->base && *minuend->base != *subtrahend->base)
      job.context.warn("the two LoRAs were trained on different base models");
    tell_of_dropped(*difference, job.context);
    const auto& kind = difference->lora.base;
    nlohmann::json facts = kind ? facts_of(*kind) : nlohmann::json::object();
    if (job.params.given("rank")) {
      auto lower = reduced(difference->lora, job.params.integer("rank"), facts, job.context);
      if (!lower) return tl::unexpected(lower.error());
      difference->lora = *std::move(lower);
    }
    auto result = as_lora_set(difference->lora);
    result.base = minuend->base;
    result.facts = std::move(facts);
    return Outputs{{"lora", result.to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_diff_node() { return std::make_unique<DiffNode>(); }

}  // namespace atelier
