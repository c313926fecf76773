#include "lora/embedding_type.h"

#include "diffusion/embedding_format.h"
#include "diffusion/safetensors.h"
#include "model/embeddings.h"
#include "model/loras.h"
#include "model/torch_call.h"
#include "types/one_file.h"

namespace atelier {
namespace {

constexpr std::string_view kSuffix = ".safetensors";

// The kind of base that its file names; where the facts do not tell, by the number of text encoders.
diffusion::LoraBase base_of(const WordVectors& embedding) {
  if (const auto base = base_of_facts(embedding.facts)) return *base;
  return {.architecture = embedding.vectors.size() == 2 ? diffusion::Architecture::sdxl : diffusion::Architecture::sd1};
}

class EmbeddingType final : public PortType {
 public:
  EmbeddingType(Files& files, std::optional<std::string> date) : files_(files), date_(std::move(date)) {}
  std::string_view name() const override { return "embedding"; }
  bool is_input() const override { return true; }
  bool writes_folder() const override { return false; }

  Expected<Artifact> open_input(const std::filesystem::path& path, const FileDigest& digest) const override {
    if (auto refused = diffusion::refuse_pickle(path); !refused) return passed_on(refused.error());
    return open_one_file(files_, path, digest, "an embedding", kSuffix);
  }

  std::string validate(const Artifact& artifact) const override {
    if (artifact.files.size() == 1 && artifact.tensors.empty()) return {};
    const auto embedding = WordVectors::from(artifact);
    return embedding ? std::string() : embedding.error().message;
  }

  std::string check_output_path(std::string_view path) const override {
    if (path.ends_with(kSuffix)) return {};
    return "an embedding is written as one file: end the path with '.safetensors'";
  }

  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path,
                       std::string_view title) const override {
    const auto embedding = embedding_of(artifact);
    if (!embedding) return tl::unexpected(embedding.error());
    diffusion::EmbeddingMetadata about;
    about.title = std::filesystem::path(title).stem().string();  // without folders: they may name a customer
    about.base = base_of(*embedding);
    about.date = date_;
    const auto file = diffusion::to_kohya(as_diffusion(*embedding), about);
    const auto written = diffusion::write_safetensors(path, file.tensors, file.metadata);
    if (!written) return failure(written.error().message, ErrorKind::transient);
    return {};
  }

 private:
  Files& files_;
  std::optional<std::string> date_;
};

}  // namespace

std::shared_ptr<const PortType> make_embedding_type(Files& files, std::optional<std::string> date) {
  return std::make_shared<EmbeddingType>(files, std::move(date));
}

}  // namespace atelier
