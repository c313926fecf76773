// The files that hold a part's weights: one, or shards with an index; what of them each weight is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "diffusion/error.h"
#include "diffusion/original_layout.h"
#include "diffusion/safetensors.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

/// Open files whose tensors are one part, or a whole model in one file.
struct WeightFiles {
  std::vector<Safetensors> files;
  std::filesystem::path index{};  ///< of shards; empty where there are none

  /// What the part is called in messages: its only file, or its index.
  std::string name() const;
};

/// The weights in a part's folder of a diffusers folder: STEM.safetensors, its shards behind an index, or the `.fp16.`
/// variant of either where it is all there is; STEM is "model" for text encoders, else "diffusion_pytorch_model".
/// Errors: nothing there, or a pickle only; an index that is no index, names a file outside the folder or a weight that
/// its file does not hold; those of Safetensors::open().
Result<WeightFiles> open_weights(const std::filesystem::path& folder);

/// Where a part's weights lie.
struct StoredPart {
  std::vector<std::filesystem::path> files;
  std::filesystem::path index{};    ///< of shards; empty where there are none
  std::vector<WeightPlace> places;  ///< `others` are gone: `key` is what the files have
  uint64_t parameters = 0;
  std::string dtype;  ///< of most of them, as files call it: "F16"

  /// What the part is called in messages: its only file, or its index.
  std::string name() const { return (index.empty() ? files.front() : index).string(); }
};

/// The part's weights among the files' keys, all of which begin with `prefix`. Keys that were found are added to
/// `used`. Errors: weights that are missing: the first five by their keys, and how many.
Result<StoredPart> find_weights(const WeightFiles& files, std::vector<WeightPlace> wanted, const std::string& prefix,
                                std::set<std::string>& used);

/// Whether weights are looked at for NaN and infinite ones, which reads all of them.
enum class Finiteness { checked, unchecked };

/// The weights by name, views of the files. Errors: a file that changed since; a weight that is NaN or infinite.
Result<WeightMap> read_weights(const StoredPart& part, Finiteness finiteness = Finiteness::checked);

}  // namespace atelier::diffusion
