// The half of base_model.h that reads weights.
#include <fmt/format.h>

#include "diffusion/base_model.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kEndId = 49407, kOpenClipPadding = 0;

/// What single files do not say: CLIP's texts are padded with their end token, OpenCLIP's with zeros.
int64_t padding_id(Architecture architecture, std::size_t encoder) {
  return architecture == Architecture::sd2 || encoder == 1 ? kOpenClipPadding : kEndId;
}

template <class Part>
Result<std::shared_ptr<const Part>> shared(Result<Part> part) {
  if (!part) return tl::unexpected(part.error());
  return std::make_shared<const Part>(std::move(*part));
}

}  // namespace

Result<WeightMap> BaseModel::weights(ModelPart part, Finiteness finiteness) const {
  return read_weights(stored_.at(part), finiteness);
}

Result<WeightReader> BaseModel::reader(ModelPart part, ModelOptions options, const PartWeights& changed) const {
  const StoredPart& stored = stored_.at(part);
  if (const auto found = changed.find(part); found != changed.end())
    return WeightReader(found->second, stored.name(), options);
  auto weights = read_weights(stored);
  if (!weights) return tl::unexpected(weights.error());
  return WeightReader(std::move(*weights), stored.name(), options);
}

Result<std::shared_ptr<const UNet>> BaseModel::unet(ModelOptions options, const PartWeights& changed) const {
  auto weights = reader(ModelPart::unet, options, changed);
  if (!weights) return tl::unexpected(weights.error());
  return UNet::create(unet_, *weights);
}

Result<std::shared_ptr<const Vae>> BaseModel::vae(ModelOptions options, const PartWeights& changed) const {
  auto weights = reader(ModelPart::vae, options, changed);
  if (!weights) return tl::unexpected(weights.error());
  return Vae::create(vae_, *weights);
}

Result<ClipTokenizer> BaseModel::tokenizer(std::size_t encoder) const {
  const fs::path folder = tokenizer_folder(encoder);
  if (folder.empty()) {
    return fail(fmt::format("{}: holds no tokenizer, and none was given beside it", path_.string()));
  }
  return config_folder().empty() ? ClipTokenizer::open(folder, padding_id(architecture_, encoder))
                                 : ClipTokenizer::open(folder);
}

Result<std::shared_ptr<const TextEncoders>> BaseModel::text_encoders(ModelOptions options,
                                                                     const PartWeights& changed) const {
  std::vector<TextEncoder> encoders;
  for (std::size_t i = 0; i < text_.size(); ++i) {
    auto words = shared(tokenizer(i));
    if (!words) return tl::unexpected(words.error());
    auto weights = reader(i == 0 ? ModelPart::text_encoder : ModelPart::text_encoder_2, options, changed);
    if (!weights) return tl::unexpected(weights.error());
    auto model = ClipTextModel::create(text_[i], *weights, text_encoder_prefix(i));
    if (!model) return tl::unexpected(model.error());
    encoders.push_back({std::move(*words), std::move(*model)});
  }
  auto all = TextEncoders::create(architecture_, std::move(encoders));
  if (!all) return fail(fmt::format("{}: {}", path_.string(), all.error().message));
  return std::make_shared<const TextEncoders>(std::move(*all));
}

Result<std::shared_ptr<const StableDiffusion>> load_stable_diffusion(const fs::path& path, ModelOptions options,
                                                                     const OpenOptions& open) {
  auto model = BaseModel::open(path, open);
  if (!model) return tl::unexpected(model.error());
  auto text = model->text_encoders(options);
  if (!text) return tl::unexpected(text.error());
  auto vae = model->vae(options);
  if (!vae) return tl::unexpected(vae.error());
  auto unet = model->unet(options);
  if (!unet) return tl::unexpected(unet.error());
  return std::make_shared<const StableDiffusion>(
      StableDiffusion{model->architecture(), *text, *vae, *unet, model->scheduler_config()});
}

}  // namespace atelier::diffusion
