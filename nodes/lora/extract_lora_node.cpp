#include "lora/extract_lora_node.h"

#include <fmt/format.h>

#include "diffusion/lora_fuse.h"
#include "diffusion/lora_operations.h"
#include "lora/lora_result.h"
#include "lora/reduction_params.h"
#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "extract_lora";
  spec.summary = "Finds the LoRA that comes nearest to what a training changed: dW = tuned - base, layer by layer.";
  spec.inputs = {{"tuned", "model", "The model that was trained, or has LoRAs fused in."},
                 {"base", "model", "The model that it was trained from."}};
  spec.outputs = {{"lora", "lora", "The LoRA that makes the base nearly the tuned model."}};
  spec.params = reduction_params();
  spec.params.push_back({.name = "conv_rank",
                         .type = ValueType::integer,
                         .summary = "The most ranks of a convolution with a kernel over 1x1, which are extracted where "
                                    "it is given; absent: they are left out, or as `layers` says.",
                         .minimum = 1,
                         .maximum = 4096});
  spec.params.push_back({.name = "layers",
                         .type = ValueType::list,
                         .value = Value::List{},
                         .summary = "Which layers, by patterns of their names such as attn2.to_k, mid_block.* or "
                                    "!text_encoder*; empty: those that a training of a LoRA adapts.",
                         .element = ValueType::text});
  return spec;
}

diffusion::ExtractOptions options_of(const Params& params) {
  diffusion::ExtractOptions options;
  options.limits.layers = rank_limit_of(params).value_or(diffusion::RankLimit());
  if (params.given("conv_rank")) {
    options.limits.convolutions = options.limits.layers;
    options.limits.convolutions->rank = params.integer("conv_rank");
  }
  options.layers = params.texts("layers");
  return options;
}

// The weights that a LoRA can change, with the model's LoRAs and a training in them.
Expected<diffusion::LoraWeights> lora_weights_of(const Model& model, const diffusion::BaseModel& base) {
  auto weights = diffusion::lora_weights(base);
  if (!weights) return passed_on(weights.error());
  const auto changes = model_changes(model, base);
  if (!changes) return tl::unexpected(changes.error());
  for (const auto& [part, of_part] : *changes) {
    const auto layers = diffusion::lora_part_of(part);
    if (!layers) continue;
    auto changed = diffusion::with_changes(weights->at(*layers), of_part);
    if (!changed) return passed_on(changed.error());
    weights->at(*layers) = std::move(*changed);
  }
  return std::move(*weights);
}

class ExtractLoraNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    if (auto wrong = check_reduction(params, "extract_lora"); !wrong.empty()) return {wrong};
    return {};
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    return call_torch(job.context, [&] { return extract(job); });
  }

 private:
  static Expected<Outputs> extract(const Job& job) {
    const auto tuned = Model::from(job.input("tuned")), base = Model::from(job.input("base"));
    if (!tuned) return tl::unexpected(tuned.error());
    if (!base) return tl::unexpected(base.error());
    const auto tuned_files = open_base(*tuned, job.context), base_files = open_base(*base, job.context);
    if (!tuned_files) return tl::unexpected(tuned_files.error());
    if (!base_files) return tl::unexpected(base_files.error());
    if (tuned_files->architecture() != base_files->architecture())
      return failure(fmt::format("the tuned model is {}, the base {}: a LoRA is between models of one kind",
                                 diffusion::architecture_name(tuned_files->architecture()),
                                 diffusion::architecture_name(base_files->architecture())));
    const auto after = lora_weights_of(*tuned, *tuned_files), before = lora_weights_of(*base, *base_files);
    if (!after) return tl::unexpected(after.error());
    if (!before) return tl::unexpected(before.error());
    auto made = diffusion::extract_lora(*after, *before, options_of(job.params));
    if (!made) return passed_on(made.error());
    made->lora.base = diffusion::lora_base_of(*base_files);
    return lora_outputs(*made, base_digest(*base), job.context);
  }
};

}  // namespace

std::unique_ptr<const Node> make_extract_lora_node() { return std::make_unique<ExtractLoraNode>(); }

}  // namespace atelier
