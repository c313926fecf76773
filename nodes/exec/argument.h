// exec: the arguments of a command, in which {in:PORT} and {out:PORT} stand for the files that it reads and writes. All
// else in braces is text.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace atelier {

// What a pair of braces names.
struct FilePlace {
  enum class Kind { input, output } kind = Kind::input;
  std::string written{};   // "{in:files:2}", for messages
  std::string port{};      // "files"
  std::size_t number = 0;  // of an input in its port's list, from 1; 0: all of the list
  std::string ending{};    // ".png" of {out:file.png}; of an output
};

struct ArgumentPiece {
  std::string text{};
  std::optional<FilePlace> place{};  // instead of the text
};

using Argument = std::vector<ArgumentPiece>;

// Errors are half sentences that follow "param 'command': ": braces that are not closed or hold what they must not.
Expected<Argument> parse_argument(std::string_view text);

}  // namespace atelier
