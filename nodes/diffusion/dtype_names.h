// The names of number formats, as options and params give them.
#pragma once
#include <c10/core/ScalarType.h>

#include <optional>
#include <string_view>

namespace atelier::diffusion {

/// float16, bfloat16 or float32; nothing for any other name.
std::optional<at::ScalarType> dtype_named(std::string_view name);

/// The same the other way round, and float64; "" for any other format.
std::string_view name_of(at::ScalarType dtype);

}  // namespace atelier::diffusion
