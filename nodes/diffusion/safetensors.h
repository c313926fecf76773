// The safetensors format: read by mmap without copying, written deterministically.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "diffusion/error.h"
#include "diffusion/safetensors_header.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

class MappedFile;

/// An open file. Copies share the mapping, which lives as long as the last tensor taken from it.
class Safetensors {
 public:
  /// Opens and validates the whole header; nothing that this class returns lies outside the file.
  /// Errors: a file that cannot be read; a pickle; those of parse_safetensors_header().
  static Result<Safetensors> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const Metadata& metadata() const { return header_.metadata; }
  const std::map<std::string, TensorEntry>& entries() const { return header_.entries; }
  /// Where the tensors' bytes begin in the file.
  std::size_t data_start() const { return header_.data_start; }

  /// The named tensor on the CPU as a read-only view of the mapping (a copy only where its bytes are not aligned for
  /// its dtype). Never write into it. Errors: no such name; a dtype that torch does not have (U16, U32, U64, F8_…).
  Result<at::Tensor> tensor(const std::string& name) const;

  /// All tensors by name; errors as of tensor().
  Result<WeightMap> tensors() const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<const MappedFile> file_;
  SafetensorsHeader header_;
};

/// Writes the tensors (any device, any stride) and the metadata to `path`, replacing what is there. The same input
/// gives the same bytes: keys sorted, data ordered by element size and then by name so that every tensor is aligned,
/// the header padded to 8 bytes. The caller writes to a temporary name and renames. Errors: a dtype the format lacks;
/// the disk's own error with the path.
Result<void> write_safetensors(const std::filesystem::path& path, const WeightMap& tensors, const Metadata& metadata);

/// The bytes that write_safetensors() writes, handed to `visit` in order: the header with its length, then each tensor.
/// A visitor that returns false ends it; what comes back is whether none did. Tensors have a dtype of the format.
bool visit_safetensors_bytes(const WeightMap& tensors, const Metadata& metadata,
                             const std::function<bool(std::span<const std::byte>)>& visit);

/// "[320, 4, 3, 3]", for messages.
std::string shape_text(at::IntArrayRef shape);

}  // namespace atelier::diffusion
