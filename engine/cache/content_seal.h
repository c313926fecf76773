// cache: the seal, the 512 bytes before the HDF5 superblock of a content file. It is a page of text that says what the
// file is, whose, how long, and the XXH3-128 of all that follows; libhdf5, which crashes on flipped bits, sees only
// files whose seal is right to the byte.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/digest.h"

namespace atelier {

enum class ContentKind { outputs, checkpoint };

inline constexpr std::size_t kSealBytes = 512;  // the smallest HDF5 user block
using Seal = std::array<std::byte, kSealBytes>;

// The seal of `length` bytes with checksum `sum` that follow it. `key` is sealed too: a file under another's name is
// not that key's content.
Seal make_seal(ContentKind kind, const Digest& key, std::uint64_t length, const Checksum& sum);

// Empty where `file`, seal and all, is what was written for `key`; otherwise what is wrong with it.
std::string check_seal(ContentKind kind, const Digest& key, std::span<const std::byte> file);

}  // namespace atelier
