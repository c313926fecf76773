#include "diffusion/trainable_weights.h"

#include <ATen/core/grad_mode.h>

#include "diffusion/name_patterns.h"

namespace atelier::diffusion {
namespace {

constexpr const char* kUNetPrefix = "unet.";

/// The weights of all parts under construction, those to train already as leaves.
class Leaves {
 public:
  Leaves(const NamePatterns& targets, bool all, const ModelOptions& options)
      : targets_(targets), all_(all), options_(options) {}

  /// A part's weights with leaves in the places of those that are trained.
  WeightMap of_part(const std::string& prefix, const WeightMap& weights) {
    WeightMap with_leaves = weights;
    for (auto& [name, tensor] : with_leaves) {
      const std::string full = prefix + name, module = full.substr(0, full.rfind('.'));  // which people rather name
      names_.insert(names_.end(), {module, full});
      const bool meant = all_ || targets_.match(module) || targets_.match(full);
      if (!meant || !tensor.is_floating_point()) continue;
      const at::Tensor value = tensor.detach().to(options_.device, at::kFloat, false, true).contiguous();
      tensor = (options_.dtype == at::kFloat ? value.detach() : value.to(options_.dtype)).requires_grad_(true);
      found_.push_back({.name = full,
                        .value = value.unsqueeze(0),
                        .leaf = tensor,
                        .part = prefix == kUNetPrefix ? TrainedPart::unet : TrainedPart::text});
    }
    return with_leaves;
  }

  /// Forgets what the part's model did not take: files hold more than weights.
  void keep_taken(const std::string& prefix, const WeightReader& reader) {
    std::erase_if(found_, [&](const TrainedTensor& tensor) {
      return tensor.name.starts_with(prefix) && !reader.asked().contains(tensor.name.substr(prefix.size()));
    });
  }

  std::vector<TrainedTensor>& found() { return found_; }
  const std::vector<std::string>& names() const { return names_; }

 private:
  const NamePatterns& targets_;
  bool all_;
  ModelOptions options_;
  std::vector<TrainedTensor> found_;
  std::vector<std::string> names_;
};

Result<std::shared_ptr<const TextEncoders>> text_with(const WeightsStart& start, Leaves& leaves) {
  std::vector<TextEncoder> encoders;
  for (size_t i = 0; i < start.text.size(); ++i) {
    const std::string prefix(text_encoder_prefix(i));
    WeightReader reader(leaves.of_part(prefix, start.text[i].weights), prefix + "weights", start.options);
    auto model = ClipTextModel::create(start.text[i].config, reader, prefix);
    if (!model) return tl::unexpected(model.error());
    leaves.keep_taken(prefix, reader);
    encoders.push_back({start.text[i].tokenizer, *std::move(model)});
  }
  auto text = TextEncoders::create(start.architecture, std::move(encoders));
  if (!text) return tl::unexpected(text.error());
  return std::make_shared<const TextEncoders>(*std::move(text));
}

}  // namespace

Result<std::unique_ptr<TrainableWeights>> TrainableWeights::create(const WeightsStart& start) {
  const auto targets = NamePatterns::create(start.targets);
  if (!targets) return tl::unexpected(targets.error());
  Leaves leaves(*targets, start.targets.empty(), start.options);
  auto trained = std::unique_ptr<TrainableWeights>(new TrainableWeights());

  WeightReader reader(leaves.of_part(kUNetPrefix, start.unet), "unet.weights", start.options);
  auto unet = UNet::create(start.unet_config, reader);
  if (!unet) return tl::unexpected(unet.error());
  leaves.keep_taken(kUNetPrefix, reader);
  trained->base_.unet = *std::move(unet);
  if (!start.text.empty()) {
    auto text = text_with(start, leaves);
    if (!text) return tl::unexpected(text.error());
    trained->base_.text = *std::move(text);
  }
  if (auto used = targets->check_all_used(leaves.names()); !used) return tl::unexpected(used.error());
  if (leaves.found().empty()) return fail("training: the targets leave no weight to train");
  trained->tensors_ = std::move(leaves.found());
  return trained;
}

TrainingPass TrainableWeights::pass(std::vector<int64_t>, const Dropout&) const {
  return {.unet = base_.unet.get(), .text = base_.text.get()};
}

void TrainableWeights::values_changed() {
  const at::NoGradGuard no_grad;
  for (const TrainedTensor& tensor : tensors_)
    if (tensor.leaf.scalar_type() != at::kFloat) tensor.leaf.detach().copy_(tensor.value.squeeze(0));
}

}  // namespace atelier::diffusion
