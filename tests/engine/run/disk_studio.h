// The small studio of run_world.h on a real disk, with the real store and ledger.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cache/cache.h"
#include "run_world.h"

namespace atelier {

// One "process": its own handles on a cache that others may use too.
struct DiskStudio {
  explicit DiskStudio(std::filesystem::path where, const std::string& out_name = "out") : folder(std::move(where)) {
    options.out = folder / out_name;
    options.machine.cores = 2;
    options.devices = {{false, 0}, {false, 1}};
  }

  RunResult run() {
    recorder.events.clear();
    auto cache = open_cache(
        *files, folder / "cache", [this](const std::string& text) { told.push_back(text); }, clock);
    if (!cache) throw std::runtime_error(cache.error().message);
    StopToken stop;
    ThreadTicker ticker(std::chrono::milliseconds(5));
    return run_batch(options, batch,
                     {.registry = registry,
                      .store = (*cache)->store(),
                      .ledger = (*cache)->ledger(),
                      .files = *files,
                      .clock = clock,
                      .ticker = ticker,
                      .stop = stop,
                      .observers = {&recorder},
                      .abandon = {}});
  }
  std::map<std::string, std::string> outputs() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options.out)) {
      const auto relative = entry.path().lexically_relative(options.out).generic_string();
      if (!entry.is_regular_file() || relative.starts_with("runs")) continue;
      all[relative] = read_text(*files, entry.path()).value();
    }
    return all;
  }

  std::filesystem::path folder;
  std::unique_ptr<Files> files = make_posix_files();
  SystemClock clock;
  std::shared_ptr<TestProbe> probe = std::make_shared<TestProbe>();
  NodeRegistry registry = make_test_registry(*files, probe);
  Batch batch = make_night(*files, registry, folder / "studio");
  RunOptions options;
  Recorder recorder;
  std::vector<std::string> told;
};

}  // namespace atelier
