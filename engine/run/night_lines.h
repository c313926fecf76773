// run: a night's progress as lines for people, as narrow as their terminal.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "run/night_watch.h"

namespace atelier {

// First the night: "12/100 customers, 1 failed, 340/4100 tasks, about 3 h 20 min left"; then each task that holds a
// device: "cuda:0 person/anna, step 412/800, 2.1 steps/s, loss 0.0812, 6 min 28 s left"; then those of the CPU in one.
// Where a line is too long for `columns` code points its least part is left out, then the next; what is still too long
// is cut.
std::vector<std::string> night_lines(const NightView& view, std::size_t columns);

}  // namespace atelier
