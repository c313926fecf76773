// How long planning takes and how much memory, for many customers: 30 steps each, of which 8 are the batch's, and
// nodes that do nothing. Prints the JSON lines of bench/run: a first night, where every key but the first is unknown,
// and a second one, where every record is there.
//   plan CUSTOMERS
#include <fmt/format.h>
#include <malloc.h>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

#include "plan/file_digests.h"
#include "plan/memory.h"
#include "plan/planner.h"
#include "support/memory_files.h"
#include "support/memory_ledger.h"
#include "support/memory_store.h"

namespace {
using namespace atelier;

constexpr std::size_t kOwnSteps = 22, kSharedSteps = 8;

// A photo that no disk has to be asked for.
class Photos final : public PortType {
 public:
  std::string_view name() const override { return "photos"; }
  bool is_input() const override { return true; }
  Expected<Artifact> open_input(const std::filesystem::path& path, const FileDigest&) const override {
    Artifact artifact;
    artifact.files.push_back({"photo.jpg", sha256(path.string()), path, 1});
    return artifact;
  }
  Expected<void> write(const Artifact&, const std::filesystem::path&, std::string_view) const override { return {}; }
};

class Step final : public SingleNode {
 public:
  Step() {
    spec_.name = "step";
    spec_.inputs = {{"in", "photos", "What it reads.", true, true}, {"base", "photos", "A base.", false, false}};
    spec_.outputs = {{"out", "photos", "What it makes.", false, true}};
    for (const char* name : {"size", "rank", "steps", "seed"}) {
      ParamSpec param;
      param.name = name;
      param.type = ValueType::integer;
      param.value = 1;
      spec_.params.push_back(param);
    }
  }
  const NodeSpec& spec() const override { return spec_; }
  Expected<Outputs> run_one(const Job&, Device&) const override { return Outputs{}; }

 private:
  NodeSpec spec_;
};

struct World {
  Photos photos;
  Step node;
  MemoryFiles files;
  MemoryLedger ledger;
  MemoryStore store;
  Batch batch;

  PlanSeams seams() {
    return {ledger, store, files, [](const std::filesystem::path&) { return Digest{}; }};
  }
};

Expression named(const std::string& param) {
  Expression expression;
  expression.text.push_back({{{param, true}}, true});
  return expression;
}

void add_steps(World& world, std::size_t count, std::size_t input, Scope scope) {
  const NodeSpec& spec = world.node.spec();
  auto& steps = world.batch.pipeline.steps;
  const std::size_t first = steps.size();
  for (std::size_t i = 0; i < count; ++i) {
    PipelineStep step;
    step.name = fmt::format("step_{}", steps.size());
    step.node = &world.node;
    step.scope = scope;
    step.inputs.push_back(
        {&spec.inputs[0],
         {i == 0 ? Source{Source::Kind::input, input, ""} : Source{Source::Kind::step, steps.size() - 1, "out"}}});
    if (first > 0) step.inputs.push_back({&spec.inputs[1], {{Source::Kind::step, i % kSharedSteps, "out"}}});
    step.params = {{spec.param("steps"), named("steps"), {}},
                   {spec.param("seed"), Expression{Value(static_cast<std::int64_t>(i)), {}, {}, false}, {}}};
    steps.push_back(std::move(step));
  }
}

void make_batch(World& world, std::size_t customers) {
  Batch& batch = world.batch;
  batch.file = "/night/batch.yaml";
  batch.pipeline.params = {{"steps", 800, {}}};
  batch.pipeline.inputs = {{"style", &world.photos, Scope::batch, {}}, {"target", &world.photos, Scope::customer, {}}};
  batch.inputs["style"] = "/style";
  add_steps(world, kSharedSteps, 0, Scope::batch);
  add_steps(world, kOwnSteps, 1, Scope::customer);
  for (std::size_t i = 0; i < customers; ++i) {
    Customer customer;
    customer.id = fmt::format("customer_{:07}", i);
    customer.inputs["target"] = "/photos/" + customer.id;
    batch.customers.push_back(std::move(customer));
  }
}

double resident_mb() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096 / 1e6;
}

// For up to a million tasks.
constexpr double kMostSeconds = 10, kMostMegabytes = 1000;

void print(std::string_view night, std::string_view what, const Plan& plan, double ours, std::string_view unit,
           double bar) {
  fmt::print(
      "{{\"bench\": \"plan\", \"case\": \"{}, {} tasks, {}\", \"ours\": {:.3f}, \"peer\": null, \"unit\": \"{}\", "
      "\"ratio\": null, \"bar\": {}}}\n",
      night, plan.tasks.size(), what, ours, unit, bar);
}

Plan measured(World& world, std::string_view night) {
  malloc_trim(0);  // what an earlier plan has left free would hide what this one takes
  const double before = resident_mb();
  const auto began = std::chrono::steady_clock::now();
  Plan plan = make_plan(world.batch, {"/out", {}, {}}, world.seams()).value();
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began;
  print(night, "planning", plan, passed.count(), "s", kMostSeconds);
  print(night, "the plan's memory", plan, resident_mb() - before, "MB", kMostMegabytes);
  return plan;
}

// Commits what a run would: every key follows from the records before it.
void finish(World& world, const Plan& plan) {
  std::vector<Record> records(plan.tasks.size());
  const FinishedRecord finished = [&](TaskId id) { return &records[index_of(id)]; };
  for (const auto& task : plan.tasks) {
    Record& record = records[index_of(task.id)];
    record.key = resolve(plan, world.batch, "/out", task.id, finished, world.seams()).key;
    record.node = "step";
    record.outputs["out"] = {sha256(record.key.hex()), 1000};
    if (!world.ledger.commit(record, {})) std::abort();
    if (!world.store.put(record.key, {}, {})) std::abort();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t customers = argc == 2 ? static_cast<std::size_t>(std::atol(argv[1])) : 10'000;
  World world;
  make_batch(world, customers);
  {
    const Plan plan = measured(world, "first night");
    finish(world, plan);
  }
  measured(world, "second night");
}
