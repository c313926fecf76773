// base: sizes and times as people write them.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace atelier {

// "20G", "1.5 TB", "500MiB" or plain bytes; K, M, G and T are powers of 1000, with an i of 1024.
std::optional<std::uint64_t> bytes_of(std::string_view text);

// "90s", "30m", "12h", "30d", "8w".
std::optional<std::chrono::seconds> duration_of(std::string_view text);

std::string show_bytes(std::uint64_t bytes);  // "512 B", "3.4 MB"
std::string show_duration(double seconds);    // "4.2 s", "3 min 20 s", "2 h 5 min"

}  // namespace atelier
