// run: writes into the cache. What is to be kept may be the work of hours, so a write that fails in passing is done
// again at once, with what is at hand, before the run gives the cache up.
#pragma once
#include "base/error.h"

namespace atelier {

inline constexpr int most_writes = 3;

// `write` gives Expected<void>. The last error where none of the writes was done; any other than a transient one at
// once.
template <class Write>
Expected<void> write_again(const Write& write) {
  Expected<void> done = write();
  for (int n = 1; n < most_writes && !done && done.error().kind == ErrorKind::transient; ++n) done = write();
  return done;
}

}  // namespace atelier
