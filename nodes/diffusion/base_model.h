// A base model: a diffusers folder (model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/ …), or one
// checkpoint file in the original layout. Who opens it need not know which.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diffusion/config.h"
#include "diffusion/error.h"
#include "diffusion/original_layout.h"
#include "diffusion/text_encoders.h"
#include "diffusion/tokenizer.h"
#include "diffusion/unet.h"
#include "diffusion/vae.h"
#include "diffusion/weight_files.h"

namespace atelier::diffusion {

/// "Stable Diffusion 1.x", "Stable Diffusion 2.x", "SDXL".
std::string_view architecture_name(Architecture architecture);

enum class ModelLayout { diffusers_folder, original_file };

/// What is given beside a model's path.
struct OpenOptions {
  std::filesystem::path config{};  ///< a diffusers folder whose configurations and tokenizers hold instead; empty: none
  std::optional<PredictionType> prediction_type{};  ///< holds instead of what the model says
  std::filesystem::path tokenizer{};                ///< CLIP's vocab.json and merges.txt, for single files
};

/// Weights by part, in diffusers' names: all of a part, or the part is not there.
using PartWeights = std::map<ModelPart, WeightMap>;

/// A model whose configurations are known and whose weights are accounted for, and none of them read.
class BaseModel {
 public:
  /// Errors, each with the file: nothing there; a pickle; neither a diffusers folder nor a safetensors file; another
  /// model than Stable Diffusion 1.x, 2.x or SDXL, by its name; a configuration that parse_…_config() refuses; parts
  /// that do not fit together; weights that are missing: the first five and how many.
  static Result<BaseModel> open(const std::filesystem::path& path, const OpenOptions& options = {});

  const std::filesystem::path& path() const noexcept { return path_; }
  const OpenOptions& options() const noexcept { return options_; }
  ModelLayout layout() const noexcept { return layout_; }
  Architecture architecture() const noexcept { return architecture_; }
  const UNetConfig& unet_config() const noexcept { return unet_; }
  const VaeConfig& vae_config() const noexcept { return vae_; }
  /// One in SD 1.x and 2.x, two in SDXL.
  const std::vector<TextConfig>& text_configs() const noexcept { return text_; }
  const SchedulerConfig& scheduler_config() const noexcept { return scheduler_; }

  /// Whether SDXL is told zeros where no negative prompt is given, and not the empty text: model_index.json's
  /// `force_zeros_for_empty_prompt`, true where it does not say.
  bool zeros_without_negative() const noexcept { return zeros_without_negative_; }

  /// Sentences for the user: what a single file does not say and was decided, which weights are not known and left out.
  const std::vector<std::string>& notes() const noexcept { return notes_; }

  /// The parts it has, in the order of ModelPart.
  std::vector<ModelPart> parts() const;
  /// The files that make up the model and say how it is used, sorted: what its digest is taken over and what a fused
  /// model copies. A folder's are relative to path(), a single file's is its name. Other files of the folder (safety
  /// checker, other variants of the weights) mean nothing here; nor do those of the options' folders.
  const std::vector<std::filesystem::path>& files() const noexcept { return files_; }

  /// Whether it is a single file that has the UNet as running averages alone, under keys that few tools read.
  bool only_averages() const noexcept { return only_averages_; }

  /// Where a part's weights lie, how many numbers they are and in which dtype.
  const StoredPart& stored(ModelPart part) const { return stored_.at(part); }

  /// What a single file of this model holds, by the original layout's keys without their prefix.
  std::vector<WeightPlace> original_places(ModelPart part) const;

  /// The diffusers folder that the configurations are from; empty where they were read off the weights.
  std::filesystem::path config_folder() const;
  /// Where the encoder's tokenizer lies; empty where a single file was opened without.
  std::filesystem::path tokenizer_folder(std::size_t encoder) const;

  /// A part's weights as stored, views of the file, by diffusers' names (text encoders' under `text_model.`). Errors:
  /// a file that changed since; a weight that is NaN or infinite, unless nobody looks.
  Result<WeightMap> weights(ModelPart part, Finiteness finiteness = Finiteness::checked) const;

  /// Each reads one part; `changed` holds what stands in place of the stored weights, if anything. Errors: those of the
  /// part's own open() or create(), and a file that changed meanwhile.
  Result<std::shared_ptr<const UNet>> unet(ModelOptions options = {}, const PartWeights& changed = {}) const;
  Result<std::shared_ptr<const Vae>> vae(ModelOptions options = {}, const PartWeights& changed = {}) const;
  Result<std::shared_ptr<const TextEncoders>> text_encoders(ModelOptions options = {},
                                                            const PartWeights& changed = {}) const;

 private:
  Result<void> open_folder();
  Result<void> open_file();
  Result<void> read_configs(const std::filesystem::path& folder);
  void decide_scheduler(const Safetensors& file);
  Result<void> check_fit() const;
  void list_files();
  Result<void> account_for(const std::vector<std::pair<ModelPart, WeightFiles>>& parts);
  std::vector<WeightPlace> wanted_places(ModelPart part) const;
  std::string key_prefix(ModelPart part) const;
  Result<WeightReader> reader(ModelPart part, ModelOptions options, const PartWeights& changed) const;
  Result<ClipTokenizer> tokenizer(std::size_t encoder) const;

  std::filesystem::path path_;
  OpenOptions options_;
  ModelLayout layout_ = ModelLayout::diffusers_folder;
  Architecture architecture_ = Architecture::sd1;
  UNetConfig unet_;
  VaeConfig vae_;
  std::vector<TextConfig> text_;
  SchedulerConfig scheduler_;
  bool zeros_without_negative_ = true;
  bool only_averages_ = false;  ///< a single file whose UNet is there as running averages alone
  std::map<ModelPart, StoredPart> stored_;
  std::vector<std::filesystem::path> files_;
  std::vector<std::string> notes_;
};

/// The files of a diffusers folder that say what its model is, without its weights, sorted: what options.config needs
/// of it. Errors: those of reading them.
Result<std::vector<std::filesystem::path>> config_files(const std::filesystem::path& folder);

/// A whole base model in memory: immutable, shared between threads.
struct StableDiffusion {
  Architecture architecture;
  std::shared_ptr<const TextEncoders> text;
  std::shared_ptr<const Vae> vae;
  std::shared_ptr<const UNet> unet;
  SchedulerConfig scheduler;
};

/// All parts of the model. Errors: those of BaseModel.
Result<std::shared_ptr<const StableDiffusion>> load_stable_diffusion(const std::filesystem::path& path,
                                                                     ModelOptions options = {},
                                                                     const OpenOptions& open = {});

}  // namespace atelier::diffusion
