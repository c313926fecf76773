// report: bytes as text, for data: addresses.
#pragma once
#include <cstddef>
#include <span>
#include <string>

namespace atelier {

std::string base64(std::span<const std::byte> bytes);

}  // namespace atelier
