// cli: the names of number formats on the command line.
#pragma once
#include <c10/core/ScalarType.h>
#include <optional>
#include <string_view>

namespace atelier::cli {

// float16, bfloat16 or float32; nothing for any other name.
std::optional<at::ScalarType> dtype_named(std::string_view name);

// The same the other way round; "" for any other format.
std::string_view name_of(at::ScalarType dtype);

}  // namespace atelier::cli
