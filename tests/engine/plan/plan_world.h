// A small studio in memory: files, ledger and store, a batch of three customers, and a run that computes nothing but
// leaves everything that a real one leaves for the next plan.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline_builder.h"
#include "plan/planner.h"
#include "support/manual_clock.h"
#include "support/memory_files.h"
#include "support/memory_ledger.h"
#include "support/memory_store.h"
#include "support/test_nodes.h"

namespace atelier {

class PlanWorld {
 public:
  PlanWorld();  // with the portrait pipeline in small and customers anna, ben and cleo

  // The pipeline: load (dropped after use), align, train and, shared, style_load and look; model (a recipe) and
  // pictures; outputs lora, pictures and, of the batch, look.
  void use_portrait_pipeline();
  void add_customer(const std::string& id, const std::map<std::string, std::string>& photos);
  void put_photo(const std::string& customer, const std::string& name, const std::string& text);
  void set(const std::string& param, Value value) { batch.set.insert_or_assign(param, std::move(value)); }
  // The same nodes with the version of one raised.
  void raise_version(const std::string& node);

  PlanSeams seams();
  Plan plan(const std::vector<std::string>& only = {});
  // Plans and executes; the names of the tasks that ran, in their order. Every task that runs must find its inputs'
  // content. Afterwards content of tasks that are kept only while needed is dropped.
  std::vector<std::string> run(const std::vector<std::string>& only = {});
  std::vector<std::string> execute(const Plan& plan);

  // "ACTION name: reason" of every task in the plan's order.
  std::vector<std::string> lines(const Plan& plan) const;
  std::vector<std::string> lines_not(Action action, const Plan& plan) const;  // of those that do something else
  const Task& find(const Plan& plan, const std::string& name) const;          // by display name

  MemoryFiles files;
  MemoryStore store;
  MemoryLedger ledger;
  ManualClock clock;
  NodeRegistry registry;
  Batch batch;
  std::filesystem::path out = "/out";
  // What a step makes, where that is not its own for every key: for early cut-off.
  std::map<std::string, std::string> result_of_step;
  // Tasks, by display name, at which the run is cut off.
  std::string cut_off_at;

 private:
  using Records = std::unordered_map<std::uint32_t, Record>;
  Record compute(const Plan& plan, const Task& task, const Digest& key);
  void write_output(const Task& task, const Digest& source);
  void drop_unneeded(const Plan& plan, const Records& records);

  std::vector<std::unique_ptr<Node>> raised_;  // nodes of a later version
};

}  // namespace atelier
