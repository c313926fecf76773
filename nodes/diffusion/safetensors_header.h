// The header of a safetensors file: which tensors it holds and where their bytes are. Knows no libtorch, so that a fuzz
// target can link it alone.
// https://github.com/huggingface/safetensors#format: 8 bytes header length, a JSON header, then the tensors' bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/error.h"

namespace atelier::diffusion {

using Metadata = std::map<std::string, std::string>;

/// Where a tensor lies in a file, and what it is.
struct TensorEntry {
  std::string dtype;           ///< as the file says it: "F16", "I64", …
  std::vector<int64_t> shape;  ///< empty for a scalar
  std::size_t begin = 0;       ///< byte offsets from the start of the data, that is, behind the header
  std::size_t end = 0;
};

struct SafetensorsHeader {
  std::size_t data_start = 0;  ///< where the data begins in the file
  Metadata metadata;
  std::map<std::string, TensorEntry> entries;
};

/// The header of the file whose bytes these are, wholly checked: every entry's bytes lie inside `file`, suit its shape
/// and dtype, and belong to no other entry. Errors name the file as `name`, and the tensor where there is one: not
/// safetensors (pickles are told apart and refused with how to convert), header too long, nested or not JSON, a
/// duplicate name, an unknown dtype, a negative or overflowing shape, offsets that overlap, leave a gap, lie outside
/// the file or do not suit the shape, bytes behind the last tensor.
Result<SafetensorsHeader> parse_safetensors_header(std::span<const std::byte> file, const std::string& name);

/// The bytes of a tensor. `entry` is one of the header's, `file` the bytes it was parsed from.
std::span<const std::byte> tensor_bytes(std::span<const std::byte> file, const SafetensorsHeader& header,
                                        const TensorEntry& entry);

/// Bytes of one element of a dtype that the format knows; nothing for any other.
std::optional<std::size_t> element_bytes(std::string_view dtype);

/// An error when the name ends in .ckpt, .bin, .pt, .pth or .pkl: a pickle runs code of whoever made it.
Result<void> refuse_pickle(const std::filesystem::path& path);

}  // namespace atelier::diffusion
