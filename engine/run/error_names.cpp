#include "run/error_names.h"

namespace atelier {

std::string_view name_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::input:
      return "input";
    case ErrorKind::transient:
      return "transient";
    case ErrorKind::out_of_memory:
      return "out_of_memory";
    case ErrorKind::disk_full:
      return "disk_full";
    case ErrorKind::stopped:
      return "stopped";
    case ErrorKind::input_lost:
      return "input_lost";
    case ErrorKind::fault:
      break;
  }
  return "fault";
}

ErrorKind error_kind_named(std::string_view name) noexcept {
  for (const auto kind : {ErrorKind::input, ErrorKind::transient, ErrorKind::out_of_memory, ErrorKind::disk_full,
                          ErrorKind::stopped, ErrorKind::input_lost})
    if (name == name_of(kind)) return kind;
  return ErrorKind::fault;
}

std::string halt_reason(const Error& error) {
  if (error.kind != ErrorKind::disk_full) return error.message;
  return "the disk is full: " + error.message + "; make room there";
}

}  // namespace atelier
