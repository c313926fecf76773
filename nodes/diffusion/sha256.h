// SHA-256 of bytes that come one after another.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "diffusion/error.h"

struct evp_md_ctx_st;

namespace atelier::diffusion {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::span<const std::byte> bytes);
  /// 64 hexadecimal digits. Once, at the end.
  std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// Adds a file's bytes from `offset` on. They are read, not mapped: a mapping beside another of the same file would
/// count as memory twice. Errors: the disk's, with the path.
Result<void> add_file(Sha256& hash, const std::filesystem::path& path, std::size_t offset = 0);

}  // namespace atelier::diffusion
