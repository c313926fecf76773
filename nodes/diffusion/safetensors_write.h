// Writing safetensors files whose tensors are made one after another meanwhile: what is in memory is what is being
// made, not the file.
#pragma once

#include <c10/core/ScalarType.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {

/// A tensor of a file that is to be written.
struct PlannedTensor {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  /// The tensor, of that dtype and shape, on any device. Called once, in any thread; others are made beside it.
  std::function<Result<at::Tensor>()> make;
};

/// The tensor as it is.
PlannedTensor planned(std::string name, at::Tensor tensor);

/// Metadata that is known only when the tensors are written.
struct LateMetadata {
  /// What stands for it when the file is laid out; the header has as many bytes as with these.
  Metadata placeholder;
  /// Called when the tensors are written. `data_hash` is the SHA-256 of their bytes, 64 hexadecimal digits.
  std::function<Result<Metadata>(const std::string& data_hash)> known;
};

/// write_safetensors() of safetensors.h for tensors that are made meanwhile: on all of libtorch's threads, each tensor
/// by one, so that the bytes are the same on one thread and on many; hashed and written on others. At most 32 MiB wait
/// for their turn. What `path` holds is durable when this returns. Errors:
/// the first of `make`; a tensor of another dtype or shape than planned; late metadata that is longer than its
/// placeholder; a dtype that the format lacks; the disk's own, with the path. After one the file is no safetensors.
Result<void> stream_safetensors(const std::filesystem::path& path, std::vector<PlannedTensor> tensors,
                                const Metadata& metadata, const std::optional<LateMetadata>& late = std::nullopt);

}  // namespace atelier::diffusion
