#include "model/model_type.h"

#include "diffusion/lora_fuse.h"
#include "diffusion/model_write.h"
#include "diffusion/safetensors.h"
#include "model/base_model.h"
#include "model/loras.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

constexpr std::string_view kOneFile =
    "a model is written as a diffusers folder: end the path with '/'; one file in the original layout comes with a "
    "later version";

bool any_layer(const Model& model, diffusion::LoraPart part) {
  for (const auto& [lora, weight] : model.loras)
    for (const auto& [layer, factors] : lora.layers)
      if (diffusion::part_of(layer) == part) return true;
  return false;
}

// The part's weights with the LoRAs in them; empty where no LoRA touches the part.
Expected<diffusion::WeightMap> fused_part(const Model& model, diffusion::LoraPart part,
                                          const std::filesystem::path& weights) {
  if (!any_layer(model, part)) return diffusion::WeightMap{};
  const auto file = diffusion::Safetensors::open(weights);
  if (!file) return passed_on(file.error());
  const auto base = file->tensors();
  if (!base) return passed_on(base.error());
  std::vector<diffusion::Lora> loras;
  for (const auto& fused : model.loras) loras.push_back(as_diffusion(fused.lora));
  std::vector<diffusion::WeightedLora> terms;
  for (std::size_t i = 0; i < loras.size(); ++i) terms.push_back({&loras[i], model.loras[i].weight});
  auto sum = diffusion::fuse(*base, part, terms);
  if (!sum) return passed_on(sum.error());
  return std::move(*sum);
}

class ModelType final : public PortType {
 public:
  std::string_view name() const override { return "model"; }
  bool is_input() const override { return true; }

  Expected<Artifact> open_input(const std::filesystem::path& path, const FileDigest& digest) const override {
    const auto folder = diffusion::BaseModel::open(path);
    if (!folder) return passed_on(folder.error());
    Model model;
    for (const auto& file : folder->files()) {
      const auto of_bytes = digest(path / file);
      if (!of_bytes) return tl::unexpected(of_bytes.error());
      std::error_code none;
      model.files.push_back(
          {file.generic_string(), *of_bytes, path / file, std::filesystem::file_size(path / file, none)});
    }
    return model.to_artifact();
  }

  std::string validate(const Artifact& artifact) const override {
    const auto model = Model::from(artifact);
    return model ? std::string() : model.error().message;
  }

  std::string check_output_path(std::string_view path) const override {
    return path.ends_with('/') ? std::string() : std::string(kOneFile);
  }

  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    const auto model = Model::from(artifact);
    if (!model) return tl::unexpected(model.error());
    const auto base = open_base(*model);
    if (!base) return tl::unexpected(base.error());
    auto unet = fused_part(*model, diffusion::LoraPart::unet, base->path() / base->unet_file());
    if (!unet) return tl::unexpected(unet.error());
    auto text = fused_part(*model, diffusion::LoraPart::text_encoder, base->path() / base->text_file());
    if (!text) return tl::unexpected(text.error());
    const auto written = diffusion::write_model(*base, {std::move(*unet), std::move(*text)}, path);
    if (!written) return failure(written.error().message, ErrorKind::transient);
    return {};
  }
};

}  // namespace

std::shared_ptr<const PortType> make_model_type() { return std::make_shared<ModelType>(); }

}  // namespace atelier
