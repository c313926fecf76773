// pipeline: where in a file something stands, and the mistakes found there.
#pragma once
#include <string>
#include <vector>

namespace atelier {

struct SourcePosition {
  std::string file;  // as the user named it
  int line = 0;      // 1-based; 0: the whole file
  int column = 0;    // 1-based, in code points
};

// One mistake: "file:line:column: what; what was expected; nearest right name".
struct Mistake {
  SourcePosition position;
  std::string message;

  std::string text() const;
};

// All mistakes of a file at once.
using Mistakes = std::vector<Mistake>;

}  // namespace atelier
