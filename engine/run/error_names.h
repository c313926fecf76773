// run: kinds of failures as events and workers name them.
#pragma once
#include <string_view>

#include "base/error.h"

namespace atelier {

std::string_view name_of(ErrorKind kind) noexcept;           // "out_of_memory"
ErrorKind error_kind_named(std::string_view name) noexcept;  // what is unknown is a fault

}  // namespace atelier
