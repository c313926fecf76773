// examples/tiny in a folder of the test's own, with a base model of its own, run by the real program.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "process.h"

namespace atelier::test {

// The params of examples/tiny, as lines of a batch file.
inline constexpr const char* kTinyParams =
    "  size: 128\n  rank: 2\n  steps: 6\n  sampling_steps: 4\n  checkpoint_every: 2\n";

class TinyNight {
 public:
  // `example` is a folder of examples/; `customers` the batch file's `customers:` (a folder, or a flow list).
  explicit TinyNight(const std::string& example = "tiny", const std::string& customers = "customers/");

  const std::filesystem::path& folder() const { return folder_.path(); }
  std::filesystem::path photos(const std::string& customer) const { return folder() / "customers" / customer; }
  std::filesystem::path out(const std::string& name = "out") const { return folder() / name; }

  // Writes the batch file again; `params` are lines of its `params:`.
  void write_batch(const std::string& customers, const std::string& params);
  // `atelier COMMAND tonight.yaml --out OUT --cache CACHE …`
  std::vector<std::string> arguments(const std::string& command, const std::vector<std::string>& more = {},
                                     const std::string& out = "out", const std::string& cache = "cache") const;
  Finished run(const std::vector<std::string>& more = {}, const std::string& out = "out",
               const std::string& cache = "cache") const;

  // The events of all runs in OUT, in the order of the runs; a torn last line is left out.
  std::vector<nlohmann::json> events(const std::string& out = "out") const;
  std::vector<nlohmann::json> events_of_last_run(const std::string& out = "out") const;
  // The runs' folders, the latest last.
  std::vector<std::filesystem::path> runs(const std::string& out = "out") const;

 private:
  TemporaryFolder folder_;
};

// Keys that a run reported as finished and a later one finished again.
std::vector<std::string> finished_twice(const std::vector<nlohmann::json>& events);

// The tasks' names of the events of one kind.
std::multiset<std::string> tasks_of(const std::vector<nlohmann::json>& events, const std::string& kind);

}  // namespace atelier::test
