// run: what one task does, on whatever thread the executor gives it. From the digests of its inputs to its key; the key
// is looked up, claimed and looked up again; what is not there is made, checked, stored, committed and then told.
#pragma once
#include "plan/planner.h"
#include "run/devices.h"
#include "run/executor.h"
#include "run/key_lease.h"
#include "run/output_writer.h"
#include "run/task_context.h"
#include "run/task_inputs.h"
#include "run/task_table.h"
#include "run/workers.h"

namespace atelier {

class TaskRunner {
 public:
  struct Surroundings {  // all must outlive it
    const Plan& plan;
    const Batch& batch;
    const NodeRegistry& registry;
    Store& store;
    Ledger& ledger;
    Files& files;
    const Clock& clock;
    FileDigest digest;
    std::filesystem::path out;
    const RunFolder& folder;
    EventBus& events;
    StopToken& stop;
    const TaskTable& table;
    const RunDevices& devices;
    KeyLease& lease;
    std::function<double(TaskId)> guess_s;  // how long a task may take
    Workers* workers = nullptr;             // where device tasks run; null: in this process
  };
  explicit TaskRunner(const Surroundings& around);

  // How the task ended; `busy` where another process or thread computes its key. Throws nothing. Safe to call from many
  // threads.
  TaskResult run(const Assignment& assignment) const noexcept;
  // How a task ends that hangs and is given up.
  TaskResult hung(const Assignment& assignment) const;

 private:
  struct Running;
  TaskResult run_step(Running& running) const;
  std::shared_ptr<const Record> made_meanwhile(const Running& running, const Resolution& before) const;
  TaskResult make(Running& running, const Digest& key) const;
  tl::expected<Made, NotMade> make_here(Running& running, const Digest& key, TaskContext& context) const;
  tl::expected<Made, NotMade> make_in_worker(Running& running, const Digest& key, TaskContext& context) const;
  nlohmann::json provenance(const Running& running) const;
  TaskResult not_made(Running& running, NotMade what) const;
  TaskResult keep(Running& running, const Digest& key, Made made) const;
  bool keep_shown(Running& running, const Digest& key, const std::vector<std::string>& owners) const;
  TaskResult run_output(Running& running) const;
  TaskResult reused(const Running& running, std::shared_ptr<const Record> record, const std::string& reason) const;
  TaskResult ended_with(Running& running, Error error) const;
  TaskResult halted(const Error& error) const;
  std::string write_log(const Running& running, const Error& error) const;
  void tell_start(const Running& running, const std::string& reason, const std::optional<Digest>& key) const;
  Device& device_of(const Running& running) const;

  Surroundings around_;
  PlanSeams seams_;
  TaskContext::Surroundings context_;
  PlanGraph graph_;
  TaskInputs inputs_;
  mutable OutputWriter writer_;
};

}  // namespace atelier
