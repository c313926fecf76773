// LoRA files as operations on files take and make them: any dialect in, with the base that DoRA needs and the rank that
// full matrices need; one of three namings out, with how it came to be in its metadata.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/base_model.h"
#include "diffusion/lora_format.h"
#include "diffusion/lora_names.h"
#include "diffusion/lora_operations.h"
#include "diffusion/lora_reduce.h"
#include "diffusion/lora_updates.h"

namespace atelier::diffusion {

/// A LoRA file that is open, whatever adapter it holds.
struct LoraSource {
  std::filesystem::path path;
  LoraUpdates updates;  ///< factors as stored, views of the file
  Metadata metadata;
  std::string hash;                   ///< SHA-256 of its tensors' bytes, 64 digits: kohya's sshs_model_hash
  at::ScalarType dtype = at::kFloat;  ///< the widest of its tensors'; float32 for float16 beside bfloat16
};

/// `path` is a `.safetensors` file (with adapter_config.json beside it where it is peft's), or a folder that peft or
/// diffusers wrote: adapter_model.safetensors, pytorch_lora_weights.safetensors, or such folders named unet,
/// text_encoder, text_encoder_2. Errors: those of read_lora_updates(), with the path before them; a folder without any.
Result<LoraSource> open_lora(const std::filesystem::path& path, bool skip_unknown = false);

/// What some adapters need to become a LoRA.
struct LoraNeeds {
  const BaseModel* base = nullptr;   ///< whose weights DoRA's magnitudes stand for; not owned
  std::optional<RankLimit> limit{};  ///< what full matrices (LoHa, LoKr, DoRA) are brought to
};

/// The file as a LoRA, with what it cost to bring full matrices to factors. LoHa and LoKr that are exact products of
/// fewer ranks than their sides need no limit. Errors, with the path: what as_lora() says where a need is not given; a
/// layer that the base does not have.
Result<LoraResult> lora_of(const LoraSource& source, const LoraNeeds& needs = {});

/// What is written.
struct LoraOutput {
  LoraNaming naming = LoraNaming::kohya;
  LoraAlphas alphas = LoraAlphas::one;
  at::ScalarType dtype = at::kFloat;  ///< one rounding, at the end
  LoraMetadata about{};
};

/// How a file came to be, for its metadata: `atelier.operation`, a JSON object with the operation's name, its options
/// and the hashes of its inputs, and modelspec.merged_from, the titles of inputs that have one.
class Provenance {
 public:
  explicit Provenance(std::string_view operation);
  Provenance& option(const std::string& name, const nlohmann::json& value);
  /// `role` is "minuend", "base", …; roles that occur more than once become a list.
  Provenance& input(const std::string& role, const std::string& hash, const nlohmann::json& facts = {});
  Provenance& title(const Metadata& of_input);
  Metadata metadata() const;

 private:
  nlohmann::json operation_;
  std::vector<std::string> titles_;
};

/// Writes the LoRA to `path`, a new name that the caller renames: one file in kohya's and diffusers' naming, in peft's
/// a folder with adapter_model.safetensors and adapter_config.json, or, where it changes text encoders, such a folder
/// for each model: unet, text_encoder, text_encoder_2. Errors: a LoRA without layers; a number that the dtype cannot
/// hold; the disk's.
Result<void> write_lora(const Lora& lora, const std::filesystem::path& path, const LoraOutput& output);

/// SHA-256 of the model's weight files, one after another in the order of its parts: of a single file, what sha256sum
/// says and WebUI shows. Errors: the disk's.
Result<std::string> hash_of(const BaseModel& base);

}  // namespace atelier::diffusion
