// Which layers or weights are meant, told by their names as users of kohya's trainer and of peft expect.
#pragma once

#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/error.h"

namespace atelier::diffusion {

/// A list of patterns. A name is meant when one of them matches it and none that begins with `!` does.
///
///     to_q, attn2.to_k       a name that is this or ends with it after a dot, as peft's target_modules
///     mid_block.*, *attn2*   the whole name, with * for any characters and ? for one, as in a shell
///     /.*attn[12]\.to_.*/    the whole name as a regular expression, as kohya's and peft's patterns
class NamePatterns {
 public:
  /// Errors: an empty pattern; a regular expression that is none, with what is wrong with it.
  static Result<NamePatterns> create(std::span<const std::string> patterns);

  bool match(std::string_view name) const;

  /// An Error naming the first pattern that matches none of the names, which is a mistake in the pattern.
  Result<void> check_all_used(std::span<const std::string> names) const;

 private:
  struct Pattern {
    std::string text;  // as it was given
    std::string glob;  // of a shell; empty where it is a regular expression
    std::regex regex;
    bool excludes = false;
    bool match(const std::string& name) const;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace atelier::diffusion
