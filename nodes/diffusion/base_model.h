// A base model as a diffusers folder: model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/clip_text.h"
#include "diffusion/config.h"
#include "diffusion/error.h"
#include "diffusion/tokenizer.h"
#include "diffusion/unet.h"
#include "diffusion/vae.h"

namespace atelier::diffusion {

/// A folder whose configurations are read and understood, and none of its weights.
class BaseModel {
 public:
  /// Errors, each with the file: not a folder, or one checkpoint file; no model_index.json; another pipeline than
  /// Stable Diffusion 1.x or 2.x; a configuration that parse_…_config() refuses; parts that do not fit together;
  /// weights that are missing, in shards, or there only as a pickle.
  static Result<BaseModel> open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const noexcept { return path_; }
  const UNetConfig& unet_config() const noexcept { return unet_; }
  const VaeConfig& vae_config() const noexcept { return vae_; }
  const TextConfig& text_config() const noexcept { return text_; }
  const SchedulerConfig& scheduler_config() const noexcept { return scheduler_; }

  /// The files that make up the model, relative to path(), sorted: what its digest is taken over and what a fused model
  /// copies. Other files of the folder (safety checker, other variants of the weights) mean nothing here.
  const std::vector<std::filesystem::path>& files() const noexcept { return files_; }

  /// Weights relative to path().
  const std::filesystem::path& unet_file() const noexcept { return unet_file_; }
  const std::filesystem::path& vae_file() const noexcept { return vae_file_; }
  const std::filesystem::path& text_file() const noexcept { return text_file_; }

  /// Each reads one part. Errors: those of the part's own open() or create(), and a file that changed meanwhile.
  Result<std::shared_ptr<const ClipTokenizer>> tokenizer() const;
  Result<std::shared_ptr<const ClipTextModel>> text_encoder(ModelOptions options = {}) const;
  Result<std::shared_ptr<const Vae>> vae(ModelOptions options = {}) const;
  Result<std::shared_ptr<const UNet>> unet(ModelOptions options = {}) const;

  /// Weights as stored, views of the file: what lora_fuse.h adds to.
  Result<WeightMap> unet_weights() const;
  Result<WeightMap> text_weights() const;

 private:
  Result<void> read_configs();
  Result<void> find_files();

  std::filesystem::path path_;
  UNetConfig unet_;
  VaeConfig vae_;
  TextConfig text_;
  SchedulerConfig scheduler_;
  std::filesystem::path unet_file_, vae_file_, text_file_;
  std::vector<std::filesystem::path> files_;
};

/// A whole base model in memory: immutable, shared between threads.
struct StableDiffusion {
  std::shared_ptr<const ClipTokenizer> tokenizer;
  std::shared_ptr<const ClipTextModel> text;
  std::shared_ptr<const Vae> vae;
  std::shared_ptr<const UNet> unet;
  SchedulerConfig scheduler;

  /// The hidden states of the texts as the UNet takes them, [texts, 77, D].
  Result<at::Tensor> encode_texts(std::span<const std::string> texts) const;
};

/// All parts of the folder. Errors: those of BaseModel.
Result<std::shared_ptr<const StableDiffusion>> load_stable_diffusion(const std::filesystem::path& folder,
                                                                     ModelOptions options = {});

}  // namespace atelier::diffusion
