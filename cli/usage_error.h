// cli: what is wrong with the words of a command line, as one sentence with the nearest right word.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace atelier::cli {

struct UsageError {
  std::string text;
  std::string command;  // whose help says more: "", "run", "model init"
};

// What is wrong with `words`, the arguments after the program's name, which `app` refused with `refusal`: the first
// unknown option or command, or the first argument too many; else what `refusal` says.
UsageError usage_error(const CLI::App& app, const std::vector<std::string>& words, const CLI::ParseError& refusal);

}  // namespace atelier::cli
