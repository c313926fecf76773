// base: what fails in passing is done again at once, before anything is given up for it.
#pragma once
#include "base/error.h"

namespace atelier {

inline constexpr int most_tries = 3;

// `work` gives an Expected. The last one where none of the tries succeeded; any error but a transient one at once.
template <class Work>
auto try_again(const Work& work) {
  auto done = work();
  for (int n = 1; n < most_tries && !done && done.error().kind == ErrorKind::transient; ++n) done = work();
  return done;
}

}  // namespace atelier
