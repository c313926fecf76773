// report: what a preview says of itself: its size, and the texts by which a node tells what it shows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace atelier {

struct PngFacts {
  std::uint32_t width = 0, height = 0;  // px
  std::string title{};                  // keyword "Title": what sets it apart from its neighbours, "prompt 1, seed 3"
  std::string description{};            // keyword "Description": what it shows, the prompt
};

// Empty where the bytes do not begin as a PNG does. Pixels are not looked at.
std::optional<PngFacts> png_facts(std::span<const std::byte> png);

}  // namespace atelier
