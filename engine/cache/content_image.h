// cache: the HDF5 file of some artifacts, made without copying their values: libhdf5 lays the file out in memory, and
// the values are put in their places when the file is written.
//
//   /provenance                      JSON
//   /outputs/<port>/metadata         JSON
//   /outputs/<port>/tensors/<name>   one contiguous dataset each, at a multiple of 64 bytes in the file
#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "artifact/store.h"
#include "cache/hdf5_driver.h"

namespace atelier {

inline constexpr std::size_t kTensorAlignment = 64;  // of a cache line and of the widest vector registers

class ContentImage {
 public:
  // The image of `outputs`, which must outlive it. An error of kind fault says what cannot be stored: a tensor of
  // more than 32 dimensions, text that is not UTF-8. Files that artifacts refer to are named, with their digests; where
  // they lie is not.
  static Expected<ContentImage> of(const Outputs& outputs, const nlohmann::json& provenance);

  std::uint64_t size_bytes() const noexcept { return end_; }  // with the seal

  using Sink = std::function<Expected<void>(std::uint64_t offset, std::span<const std::byte> bytes)>;
  // All bytes that follow the seal, in the order of the file; large values are handed on as they lie.
  Expected<void> write_body(const Sink& sink) const;

 private:
  // A dataset's values and where they go.
  struct Piece {
    std::uint64_t offset;
    std::span<const std::byte> bytes;
  };
  class Builder;

  SparseBytes structure_;
  std::vector<Piece> pieces_;     // by offset
  std::list<std::string> texts_;  // what pieces of JSON point to
  std::uint64_t end_ = 0;
};

}  // namespace atelier
