// The safetensors format: read by mmap without copying, written deterministically.
// https://github.com/huggingface/safetensors#format: 8 bytes header length, a JSON header, then the tensors' bytes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/error.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

using Metadata = std::map<std::string, std::string>;

/// Where a tensor lies in a file, and what it is.
struct TensorEntry {
  std::string dtype;           ///< as the file says it: "F16", "I64", …
  std::vector<int64_t> shape;  ///< empty for a scalar
  std::size_t begin = 0;       ///< byte offsets from the start of the data, that is, behind the header
  std::size_t end = 0;
};

class MappedFile;

/// An open file. Copies share the mapping, which lives as long as the last tensor taken from it.
class Safetensors {
 public:
  /// Opens and validates the whole header; nothing that this class returns lies outside the file.
  /// Errors name the file, and the tensor where there is one: not readable, not safetensors (pickles are told apart and
  /// refused with how to convert), header too long or not JSON, a duplicate name, an unknown dtype, a negative or
  /// overflowing shape, offsets that overlap, leave a gap, lie outside the file or do not suit the shape.
  static Result<Safetensors> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const Metadata& metadata() const { return metadata_; }
  const std::map<std::string, TensorEntry>& entries() const { return entries_; }

  /// The named tensor on the CPU as a read-only view of the mapping (a copy only where its bytes are not aligned for
  /// its dtype). Never write into it. Errors: no such name; a dtype that torch does not have (U16, U32, U64, F8_…).
  Result<at::Tensor> tensor(const std::string& name) const;

  /// All tensors by name; errors as of tensor().
  Result<WeightMap> tensors() const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<const MappedFile> file_;
  std::size_t data_start_ = 0;
  Metadata metadata_;
  std::map<std::string, TensorEntry> entries_;
};

/// Writes the tensors (any device, any stride) and the metadata to `path`, replacing what is there. The same input
/// gives the same bytes: keys sorted, data ordered by element size and then by name so that every tensor is aligned,
/// the header padded to 8 bytes. The caller writes to a temporary name and renames. Errors: a dtype the format lacks;
/// the disk's own error with the path.
Result<void> write_safetensors(const std::filesystem::path& path, const WeightMap& tensors, const Metadata& metadata);

/// "[320, 4, 3, 3]", for messages.
std::string shape_text(at::IntArrayRef shape);

/// An error when the name ends in .ckpt, .bin, .pt, .pth or .pkl: a pickle runs code of whoever made it.
Result<void> refuse_pickle(const std::filesystem::path& path);

}  // namespace atelier::diffusion
