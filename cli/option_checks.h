// cli: what an option's value must be; a wrong one gets a sentence that says so.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace atelier::cli {

// A whole number in decimal digits, from `minimum` to `maximum`.
CLI::Validator whole_number(std::uint64_t minimum, std::uint64_t maximum);

// One of these words; another gets the nearest.
CLI::Validator one_of(std::vector<std::string> words);

}  // namespace atelier::cli
