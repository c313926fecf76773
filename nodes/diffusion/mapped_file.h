// A whole file mapped read-only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "diffusion/error.h"

namespace atelier::diffusion {

/// Owns the mapping; unmaps when destroyed.
class MappedFile {
 public:
  /// Errors: "PATH: cannot be opened: …", not a regular file, the system's error of the mapping.
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  /// Whole pages of a part of the file are no longer this process's memory until somebody looks at them again.
  void forget(std::span<const std::byte> part) const noexcept;

 private:
  MappedFile(const std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}
  const std::byte* data_;
  std::size_t size_;
};

}  // namespace atelier::diffusion
