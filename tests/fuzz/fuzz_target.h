// fuzz: what the targets share.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// Tries one input; 0. A broken promise ends the program.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace atelier::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data), size);
}

// Ends the program where what a function promises does not hold.
inline void promise(bool holds) {
  if (!holds) std::abort();
}

}  // namespace atelier::fuzz
