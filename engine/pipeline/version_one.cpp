#include "pipeline/version_one.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace atelier {
namespace {

struct Wish {
  std::string_view key, what, instead;
};

constexpr std::string_view no_condition = "a pipeline in which every step runs";
constexpr std::string_view no_scatter = "a step for each item, or a customer for each";
constexpr std::string_view no_gather = "a list of steps in 'in:'";
constexpr std::string_view no_option = "every input to be given";

constexpr std::array wishes{
    Wish{"when", "a condition", no_condition},
    Wish{"if", "a condition", no_condition},
    Wish{"unless", "a condition", no_condition},
    Wish{"condition", "a condition", no_condition},
    Wish{"foreach", "a scatter", no_scatter},
    Wish{"for_each", "a scatter", no_scatter},
    Wish{"for", "a scatter", no_scatter},
    Wish{"each", "a scatter", no_scatter},
    Wish{"scatter", "a scatter", no_scatter},
    Wish{"matrix", "a scatter", no_scatter},
    Wish{"gather", "a gather", no_gather},
    Wish{"collect", "a gather", no_gather},
    Wish{"reduce", "a gather", no_gather},
    Wish{"optional", "an optional input", no_option},
    Wish{"required", "an optional input", no_option},
    Wish{"default", "an optional input", no_option},
};

}  // namespace

std::optional<std::string> beyond_version_one(std::string_view key) {
  const auto found = std::ranges::find(wishes, key, &Wish::key);
  if (found == wishes.end()) return {};
  return fmt::format("'{}' asks for {}, which version 1 does not have; expected {}", key, found->what, found->instead);
}

}  // namespace atelier
