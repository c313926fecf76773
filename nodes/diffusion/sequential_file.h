// A new file that is written from its beginning to its end. A large one goes past the page cache: the kernel's copying
// and its dirty pages cost more than the disk itself there, and what is written is not read again soon.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "diffusion/error.h"

namespace atelier::diffusion {

class SequentialFile {
 public:
  /// Makes the file, or empties it. `size` is how long it will be. Errors, here and below: the disk's, with the path.
  static Result<std::unique_ptr<SequentialFile>> create(const std::filesystem::path& path, std::size_t size);
  virtual ~SequentialFile() = default;

  /// Takes the next bytes; the call may wait for the disk. An Error may be that of earlier bytes.
  virtual Result<void> append(std::span<const std::byte> bytes) = 0;

  /// Puts `beginning` over the first bytes and ends the file, which is durable when this returns.
  virtual Result<void> finish(std::span<const std::byte> beginning) = 0;

  SequentialFile(const SequentialFile&) = delete;
  SequentialFile& operator=(const SequentialFile&) = delete;

 protected:
  SequentialFile() = default;
};

}  // namespace atelier::diffusion
