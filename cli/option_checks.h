// cli: what an option's value must be; a wrong one gets a sentence that says so.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace atelier::cli {

// A whole number in decimal digits, from `minimum` to `maximum`.
CLI::Validator whole_number(std::uint64_t minimum, std::uint64_t maximum);

// A finite number for which `holds` is true; `wanted` says which those are: "a number over 0 and at most 1".
CLI::Validator number_that(std::string wanted, std::function<bool(double)> holds);

// One of these words; another gets the nearest.
CLI::Validator one_of(std::vector<std::string> words);

}  // namespace atelier::cli
