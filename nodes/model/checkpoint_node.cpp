#include "model/checkpoint_node.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

constexpr const char* kAuto = "auto";

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "checkpoint";
  spec.summary = "A base model used in another way than its files say, or with what they do not say.";
  spec.keep = Keep::recipe;
  spec.inputs = {{"model", "model", "A diffusers folder or one .safetensors file in the original layout."},
                 {.name = "config",
                  .type = "model_config",
                  .summary = "A diffusers folder whose configurations and tokenizers hold instead; its weights are not "
                             "read.",
                  .required = false}};
  spec.outputs = {{"model", "model", "The same weights, used so."}};
  spec.params = {{.name = "prediction_type",
                  .type = ValueType::text,
                  .value = kAuto,
                  .summary = "What the UNet predicts; auto: what the files say, and where they do not, epsilon, or "
                             "v_prediction for Stable Diffusion 2.x.",
                  .choices = {kAuto, "epsilon", "v_prediction"}},
                 dtype_param()};
  return spec;
}

class CheckpointNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    auto model = Model::from(job.input("model"));
    if (!model) return tl::unexpected(model.error());
    if (!model->loras.empty()) return failure("checkpoint takes a base model; this one is fused");
    if (job.has("config")) replace_config(*model, job.input("config"));
    if (const auto type = job.params.text("prediction_type"); type != kAuto) model->prediction_type = type;
    set_dtype(*model, job.params);
    if (const auto base = open_base(*model, job.context); !base) return tl::unexpected(base.error());
    return Outputs{{"model", model->to_artifact()}};
  }

 private:
  // The tokenizer that ships with the program gives way to that of the configurations.
  static void replace_config(Model& model, const Artifact& config) {
    const bool single = single_file_of(model) != nullptr;
    std::erase_if(model.files, [&](const FileRef& file) {
      return file.name.starts_with(kConfigPrefix) || (single && file.name != kSingleFile);
    });
    model.files.insert(model.files.end(), config.files.begin(), config.files.end());
    std::ranges::sort(model.files, {}, &FileRef::name);
  }
};

}  // namespace

std::unique_ptr<const Node> make_checkpoint_node() { return std::make_unique<CheckpointNode>(); }

}  // namespace atelier
