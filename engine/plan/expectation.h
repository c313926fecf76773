// plan: what a night will take in time and on disk, and what its customers share, before it runs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "plan/costs.h"

namespace atelier {

struct Expectation {
  // What is to run or waits: the most there can be, as some of what waits may turn out to be reused.
  struct Time {
    std::size_t tasks = 0;
    std::size_t guessed = 0;  // of them, those of nodes that were never measured on such a device
    double seconds = 0;       // one after the other
  };
  Time devices, cpu;  // outputs are the CPU's

  struct Size {
    std::uint64_t bytes = 0;
    std::size_t unknown = 0;  // tasks of whose node no size is known: they are not in `bytes`
  };
  Size cache;      // what it grows by
  Size meanwhile;  // what is in it too until its last reader is done, were it all there at once
  Size outputs;

  // A step that was or will be done once for several customers.
  struct Shared {
    std::string step;
    std::size_t tasks = 0, customers = 0;
    double saved_s = 0;  // what it would take besides, were it done for each customer
  };
  std::vector<Shared> shared;  // in the pipeline's order
};

Expectation expectation_of(const Plan& plan, const Batch& batch, CostsOfTasks& costs);

// "expected: 2 h 5 min on devices (3 tasks, 1 of them guessed), 4.2 s on the CPU (30 tasks)", "disk: …" and a table of
// what is shared; a part that there is nothing to say of is left out. Lines, each ended; none where nothing is to run
// and nothing is shared.
std::string expectation_text(const Expectation& expected);

// {devices {tasks, guessed, seconds}, cpu {…}, cache {bytes, unknown}, meanwhile {…}, outputs {…}, shared [{step,
// tasks, customers, saved_seconds}]}.
nlohmann::json expectation_json(const Expectation& expected);

}  // namespace atelier
