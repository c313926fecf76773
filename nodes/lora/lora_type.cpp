#include "lora/lora_type.h"

#include "diffusion/lora_format.h"
#include "diffusion/safetensors.h"
#include "model/loras.h"
#include "model/torch_call.h"
#include "types/one_file.h"

namespace atelier {
namespace {

constexpr std::string_view kSuffix = ".safetensors";

class LoraType final : public PortType {
 public:
  LoraType(Files& files, std::optional<std::string> date) : files_(files), date_(std::move(date)) {}
  std::string_view name() const override { return "lora"; }
  bool is_input() const override { return true; }
  bool writes_folder() const override { return false; }

  Expected<Artifact> open_input(const std::filesystem::path& path, const FileDigest& digest) const override {
    if (auto refused = diffusion::refuse_pickle(path); !refused) return passed_on(refused.error());
    return open_one_file(files_, path, digest, "a LoRA", kSuffix);
  }

  std::string validate(const Artifact& artifact) const override {
    if (artifact.files.size() == 1 && artifact.tensors.empty()) return {};
    const auto lora = LoraSet::from(artifact);
    return lora ? std::string() : lora.error().message;
  }

  std::string check_output_path(std::string_view path) const override {
    if (path.ends_with(kSuffix)) return {};
    return "a LoRA is written as one file: end the path with '.safetensors'";
  }

  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path,
                       std::string_view title) const override {
    const auto lora = lora_of(artifact);
    if (!lora) return tl::unexpected(lora.error());
    diffusion::LoraMetadata metadata;
    metadata.title = std::filesystem::path(title).stem().string();  // without folders: they may name a customer
    metadata.date = date_;
    const auto file = diffusion::to_kohya(as_diffusion(*lora), metadata);
    const auto written = diffusion::write_safetensors(path, file.tensors, file.metadata);
    if (!written) return failure(written.error().message, ErrorKind::transient);
    return {};
  }

 private:
  Files& files_;
  std::optional<std::string> date_;
};

}  // namespace

std::shared_ptr<const PortType> make_lora_type(Files& files, std::optional<std::string> date) {
  return std::make_shared<LoraType>(files, std::move(date));
}

}  // namespace atelier
