// run: kinds of failures as events, workers and people name them.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"

namespace atelier {

std::string_view name_of(ErrorKind kind) noexcept;           // "out_of_memory"
ErrorKind error_kind_named(std::string_view name) noexcept;  // what is unknown is a fault

std::string halt_reason(const Error& error);  // for people: why a run stops itself that met this error

}  // namespace atelier
