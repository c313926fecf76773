// A small studio in memory that is run for real: flow graph, scheduler, threads; texts in the place of photos.
//
//   load (dropped after use) -> check (fails where the text holds "fail") -> portrait -> person (a training)
//   style_load -> look (a training that all share);  model: a recipe of portrait, person and look
//   outputs: CUSTOMER/person.txt, CUSTOMER/model/ and, of the batch, style.txt
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "run/run_batch.h"
#include "support/fast_ticker.h"
#include "support/manual_clock.h"
#include "support/memory_files.h"
#include "support/memory_ledger.h"
#include "support/memory_store.h"
#include "support/test_nodes.h"

namespace atelier {

// Keeps every event, as JSON and as it was.
class Recorder final : public Observer {
 public:
  void on(const Event& event) override {
    events.push_back(event);
    if (look_on) look_on(event);
  }
  template <class T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const auto& event : events)
      if (const auto* one = event.as<T>()) out.push_back(*one);
    return out;
  }
  std::vector<std::string> names(std::string_view event_name) const;  // of the tasks, sorted

  std::vector<Event> events;
  std::function<void(const Event&)> look_on;
};

// A batch of the pipeline above with customers anna, ben and cleo; its files are put into `studio`.
Batch make_night(Files& files, const NodeRegistry& registry, const std::filesystem::path& studio);

class RunWorld {
 public:
  RunWorld();  // with customers anna, ben and cleo

  void set(const std::string& param, Value value) { batch.set.insert_or_assign(param, std::move(value)); }
  void drop_output(const std::string& name);
  RunResult run();  // `recorder` holds the events of this run alone
  std::string output(const std::string& path) const { return files.text(options.out / path).value_or("(none)"); }
  std::map<std::string, std::string> outputs() const;  // all of them, but for the runs' folders

  MemoryFiles files;
  MemoryStore store;
  MemoryLedger ledger;
  ManualClock clock;
  std::shared_ptr<TestProbe> probe = std::make_shared<TestProbe>();
  NodeRegistry registry;
  Batch batch;
  RunOptions options;
  std::unique_ptr<StopToken> stop;  // of the last run
  std::function<void(StopToken&)> before_run;
  std::unique_ptr<Ticker> ticker = std::make_unique<IdleTicker>();
  std::counting_semaphore<> abandoned{0};  // released when the run gives its tasks up
  std::atomic<int> abandoned_code{0};
  Recorder recorder;
  Workers* workers = nullptr;    // null: tasks run in this process
  std::vector<OwnedPath> owned;  // what the last run told of whose files are whose
};

}  // namespace atelier
