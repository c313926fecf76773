#include "cache/hdf5_types.h"

namespace atelier {
namespace {

struct FloatLayout {
  std::size_t sign_bit, exponent_bits, mantissa_bits, exponent_bias;
};
constexpr FloatLayout kFloat16{15, 5, 10, 15}, kBfloat16{15, 8, 7, 127};

Hdf5Handle copy_of(hid_t type) { return {H5Tcopy(type), H5Tclose}; }

Hdf5Handle sixteen_bit_float(const FloatLayout& layout) {
  Hdf5Handle type = copy_of(H5T_IEEE_F32LE);
  const hid_t id = type.get();
  // The fields first: libhdf5 refuses a precision that cuts into fields that are still where a 32-bit float has them.
  const bool made =
      H5Tset_fields(id, layout.sign_bit, layout.mantissa_bits, layout.exponent_bits, 0, layout.mantissa_bits) >= 0 &&
      H5Tset_precision(id, 16) >= 0 && H5Tset_size(id, 2) >= 0 && H5Tset_ebias(id, layout.exponent_bias) >= 0;
  return made ? std::move(type) : Hdf5Handle();
}

}  // namespace

Hdf5Types::Hdf5Types()
    : types_{copy_of(H5T_STD_U8LE),        copy_of(H5T_STD_I32LE),  copy_of(H5T_STD_I64LE), sixteen_bit_float(kFloat16),
             sixteen_bit_float(kBfloat16), copy_of(H5T_IEEE_F32LE), copy_of(H5T_IEEE_F64LE)} {}

std::optional<DType> Hdf5Types::dtype(hid_t type) const noexcept {
  for (std::size_t i = 0; i < types_.size(); ++i)
    if (H5Tequal(types_[i].get(), type) > 0) return static_cast<DType>(i);
  return std::nullopt;
}

Hdf5Handle text_type(std::size_t bytes) {
  Hdf5Handle type = copy_of(H5T_C_S1);
  const bool made = H5Tset_size(type.get(), bytes) >= 0 && H5Tset_cset(type.get(), H5T_CSET_UTF8) >= 0 &&
                    H5Tset_strpad(type.get(), H5T_STR_NULLPAD) >= 0;
  return made ? std::move(type) : Hdf5Handle();
}

}  // namespace atelier
