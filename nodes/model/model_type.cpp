#include "model/model_type.h"

#include <algorithm>

#include "diffusion/dtype_names.h"
#include "diffusion/model_write.h"
#include "diffusion/original_detect.h"
#include "diffusion/safetensors.h"
#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTwoLayouts =
    "a model is written as a diffusers folder (end the path with '/') or as one file in the original layout (end it "
    "with '.safetensors')";

Expected<FileRef> file_ref(std::string name, const fs::path& path, const FileDigest& digest) {
  const auto of_bytes = digest(path);
  if (!of_bytes) return tl::unexpected(of_bytes.error());
  std::error_code none;
  return FileRef{std::move(name), *of_bytes, path, fs::file_size(path, none)};
}

Expected<void> add_files(std::vector<FileRef>& files, const fs::path& folder, std::span<const fs::path> names,
                         const std::string& prefix, const FileDigest& digest) {
  for (const auto& name : names) {
    auto ref = file_ref(prefix + name.generic_string(), folder / name, digest);
    if (!ref) return tl::unexpected(ref.error());
    files.push_back(std::move(*ref));
  }
  std::ranges::sort(files, {}, &FileRef::name);
  return {};
}

// A file that may be opened once its configuration is given beside it is taken; what else is wrong with it is told now.
bool only_lacks_configuration(const fs::path& path) {
  const auto file = diffusion::Safetensors::open(path);
  return file && diffusion::detect_architecture(file->entries()) && !diffusion::detect_model(file->entries());
}

class ModelType final : public PortType {
 public:
  explicit ModelType(fs::path tokenizer) : tokenizer_(std::move(tokenizer)) {}
  std::string_view name() const override { return "model"; }
  bool is_input() const override { return true; }

  Expected<Artifact> open_input(const fs::path& path, const FileDigest& digest) const override {
    const auto base = diffusion::BaseModel::open(path, {.tokenizer = tokenizer_});
    const bool file = fs::is_regular_file(path);
    if (!base && !(file && only_lacks_configuration(path))) return passed_on(base.error());
    Model model;
    Expected<void> added;
    if (file) {
      auto ref = file_ref(std::string(kSingleFile), path, digest);
      if (!ref) return tl::unexpected(ref.error());
      model.files.push_back(std::move(*ref));
      const std::vector<fs::path> words{"merges.txt", "vocab.json"};
      if (!tokenizer_.empty()) added = add_files(model.files, tokenizer_, words, "tokenizer/", digest);
    } else {
      added = add_files(model.files, path, base->files(), "", digest);
    }
    if (!added) return tl::unexpected(added.error());
    return model.to_artifact();
  }

  std::string validate(const Artifact& artifact) const override {
    const auto model = Model::from(artifact);
    return model ? std::string() : model.error().message;
  }

  std::string check_output_path(std::string_view path) const override {
    return path.ends_with('/') || path.ends_with(".safetensors") ? std::string() : std::string(kTwoLayouts);
  }

  Expected<void> write(const Artifact& artifact, const fs::path& path, std::string_view title) const override {
    const auto model = Model::from(artifact);
    if (!model) return tl::unexpected(model.error());
    const auto base = open_base(*model);
    if (!base) return tl::unexpected(base.error());
    const auto changes = model_changes(*model, *base);
    if (!changes) return tl::unexpected(changes.error());
    diffusion::WriteOptions options;
    options.layout = title.ends_with('/') ? diffusion::ModelLayout::diffusers_folder : diffusion::layout_named(title);
    options.dtype = diffusion::dtype_named(model->dtype);
    options.title = fs::path(title).stem().string();  // without folders: they may name a customer
    const auto written = diffusion::write_model(*base, *changes, path, options);
    if (!written) return failure(written.error().message, ErrorKind::transient);
    return {};
  }

 private:
  fs::path tokenizer_;
};

class ModelConfigType final : public PortType {
 public:
  std::string_view name() const override { return "model_config"; }
  bool is_input() const override { return true; }

  Expected<Artifact> open_input(const fs::path& path, const FileDigest& digest) const override {
    const auto names = diffusion::config_files(path);
    if (!names) return passed_on(names.error());
    Artifact artifact;
    const auto added = add_files(artifact.files, path, *names, std::string(kConfigPrefix), digest);
    if (!added) return tl::unexpected(added.error());
    return artifact;
  }

  std::string validate(const Artifact& artifact) const override {
    const bool all =
        std::ranges::all_of(artifact.files, [](const auto& f) { return f.name.starts_with(kConfigPrefix); });
    return all && !artifact.files.empty() && artifact.tensors.empty() ? ""
                                                                      : "model_config: it refers to no configurations";
  }

  std::string check_output_path(std::string_view) const override { return "configurations are no output"; }

  Expected<void> write(const Artifact&, const fs::path&, std::string_view) const override {
    return failure("configurations are no output", ErrorKind::fault);
  }
};

}  // namespace

std::shared_ptr<const PortType> make_model_type(const fs::path& tokenizer) {
  return std::make_shared<ModelType>(tokenizer);
}

std::shared_ptr<const PortType> make_model_config_type() { return std::make_shared<ModelConfigType>(); }

}  // namespace atelier
