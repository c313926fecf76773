// cache: the HDF5 types of our dtypes, little-endian; bfloat16 as a float of our own (1 sign, 8 exponent, 7 mantissa
// bits), which h5dump and h5py read. To be used within an Hdf5Session.
#pragma once
#include <array>
#include <optional>

#include "artifact/tensor.h"
#include "cache/hdf5_handle.h"

namespace atelier {

class Hdf5Types {
 public:
  Hdf5Types();
  hid_t of(DType dtype) const noexcept { return types_[static_cast<std::size_t>(dtype)].get(); }
  std::optional<DType> dtype(hid_t type) const noexcept;  // empty for a type that we do not write

 private:
  std::array<Hdf5Handle, 7> types_;  // by DType
};

// A text of exactly `bytes` bytes of UTF-8, at least one. Invalid where libhdf5 refuses.
Hdf5Handle text_type(std::size_t bytes);

}  // namespace atelier
