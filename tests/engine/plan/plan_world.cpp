#include "plan_world.h"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <algorithm>

#include "plan/file_digests.h"
#include "plan/memory.h"
#include "plan/output_state.h"
#include "plan/tree_digest.h"

namespace atelier {
namespace {

// Long after the last change of the files in memory, so that their digests are remembered.
constexpr Clock::WallTime kNow{std::chrono::seconds(1'800'000'000)};

// A node that reads what `blend` makes; the world's other nodes are those of support/test_nodes.h.
class Render final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = [] {
      NodeSpec s;
      s.name = "render";
      s.summary = "Shows a blend.";
      s.inputs = {{"mix", "blend", "A blend.", false, true}};
      s.outputs = {{"text", "text", "A text.", false, true}};
      return s;
    }();
    return spec;
  }
  Expected<Outputs> run_one(const Job& job, Device&) const override { return Outputs{{"text", job.input("mix")}}; }
};

// A node as another one, one version later.
class Raised final : public Node {
 public:
  explicit Raised(const Node& node) : node_(node), spec_(node.spec()) { ++spec_.version; }
  const NodeSpec& spec() const override { return spec_; }
  std::vector<Expected<Outputs>> run(std::span<Job> jobs, Device& device) const override {
    return node_.run(jobs, device);
  }

 private:
  const Node& node_;
  NodeSpec spec_;
};

}  // namespace

PlanWorld::PlanWorld() : clock(kNow), registry(make_test_registry(files)) {
  registry.add(std::make_unique<Render>());
  batch.file = "/night/batch.yaml";
  batch.name = "night";
  files.put("/night/style/s.txt", "style");
  batch.inputs["style"] = "/night/style";
  use_portrait_pipeline();
  add_customer("anna", {{"a.txt", "anna 1"}, {"b.txt", "anna 2"}});
  add_customer("ben", {{"a.txt", "ben"}});
  add_customer("cleo", {{"a.txt", "cleo"}});
}

void PlanWorld::use_portrait_pipeline() {
  batch.pipeline = PipelineBuilder(registry, "portrait")
                       .param("steps", 60)
                       .param("times", 1)
                       .param("person_weight", 0.9)
                       .param("style_weight", 0.6)
                       .input("photos", "texts")
                       .input("style", "texts", Scope::batch)
                       .step("load", "read", {{"files", {"photos"}}})
                       .step("align", "shout", {{"text", {"load"}}}, {{"times", "${times}"}})
                       .step("train", "learn", {{"texts", {"align"}}}, {{"steps", "${steps}"}})
                       .step("style_load", "read", {{"files", {"style"}}})
                       .step("look", "learn", {{"texts", {"style_load"}}}, {{"steps", "${steps}"}})
                       .step("model", "blend", {{"base", {"look"}}, {"parts", {"look", "train"}}},
                             {{"weights", Value::List{"${style_weight}", "${person_weight}"}}})
                       .step("pictures", "render", {{"mix", {"model"}}})
                       .output("lora", "train", "${customer}/${customer}.txt")
                       .output("pictures", "pictures", "${customer}/pictures/")
                       .output("look", "look", "style.txt")
                       .build();
}

void PlanWorld::add_customer(const std::string& id, const std::map<std::string, std::string>& photos) {
  Customer customer;
  customer.id = id;
  customer.inputs["photos"] = "/night/" + id;
  batch.customers.push_back(std::move(customer));
  for (const auto& [name, text] : photos) put_photo(id, name, text);
}

void PlanWorld::put_photo(const std::string& customer, const std::string& name, const std::string& text) {
  files.put("/night/" + customer + "/" + name, text);
}

void PlanWorld::raise_version(const std::string& node) {
  raised_.push_back(std::make_unique<Raised>(*registry.find(node)));
  const Node* raised = raised_.back().get();
  for (auto& step : batch.pipeline.steps) {
    if (step.node->spec().name != node) continue;
    step.node = raised;
    for (auto& port : step.inputs) port.spec = raised->spec().input(port.spec->name);
  }
}

PlanSeams PlanWorld::seams() { return {ledger, store, files, remembered_digests(files, ledger, clock)}; }

Plan PlanWorld::plan(const std::vector<std::string>& only) {
  PlanOptions options;
  options.out = out;
  options.only = only;
  return make_plan(batch, options, seams()).value();
}

std::vector<std::string> PlanWorld::run(const std::vector<std::string>& only) { return execute(plan(only)); }

Record PlanWorld::compute(const Plan& plan, const Task& task, const Digest& key) {
  const NodeSpec& spec = *spec_of(plan, batch, task.id);
  const auto fixed = result_of_step.find(batch.pipeline.steps[task.step].name);
  Record record;
  record.key = key;
  record.node = spec.name;
  record.node_version = spec.version;
  Outputs outputs;
  for (const auto& port : spec.outputs) {
    outputs[port.name] = text_artifact(fixed == result_of_step.end() ? key.hex() + port.name : fixed->second);
    record.outputs[port.name] = {digest_of(outputs[port.name]), outputs[port.name].size_bytes()};
  }
  if (spec.keep != Keep::recipe) {
    EXPECT_TRUE(store.put(key, outputs, {}).has_value());
  }
  EXPECT_TRUE(ledger.commit(record, owners_of(plan, batch, task.id)).has_value());
  return record;
}

void PlanWorld::write_output(const Task& task, const Digest& source) {
  const auto location = output_location(out, task.output_path);
  const auto* type = batch.pipeline.outputs[task.step].type;
  const bool is_folder = task.output_path.ends_with('/');
  files.put(is_folder ? location / "content.txt" : location, std::string(type->name()) + source.hex());
  const auto tree = tree_digest(files, location, remembered_digests(files, ledger, clock)).value().value();
  EXPECT_TRUE(ledger.remember_output(location, {source, tree}).has_value());
}

void PlanWorld::drop_unneeded(const Plan& plan, const Records& records) {
  for (const auto& task : plan.tasks) {
    const NodeSpec* spec = spec_of(plan, batch, task.id);
    if (spec && spec->keep == Keep::while_needed && records.contains(static_cast<std::uint32_t>(index_of(task.id))))
      store.drop(records.at(static_cast<std::uint32_t>(index_of(task.id))).key);
  }
}

std::vector<std::string> PlanWorld::execute(const Plan& plan) {
  Records records;
  const FinishedRecord finished = [&](TaskId id) -> const Record* {
    const auto found = records.find(static_cast<std::uint32_t>(index_of(id)));
    return found == records.end() ? nullptr : &found->second;
  };
  std::vector<std::string> ran;
  for (const auto& task : plan.tasks) {
    const std::string name = display_name(plan, batch, task.id);
    if (name == cut_off_at) break;
    const auto ended = [&](TaskId id) { return plan.task(id).is_output || finished(id) != nullptr; };
    if (task.action == Action::skip || !std::ranges::all_of(task.dependencies, ended)) continue;
    const Resolution resolution = resolve(plan, batch, out, task.id, finished, seams());
    EXPECT_TRUE(resolution.missing.empty()) << name << " does not find its inputs' content";
    if (resolution.action == Action::run) ran.push_back(name);
    if (task.is_output) {
      if (resolution.action == Action::run) write_output(task, resolution.key);
      continue;
    }
    records[static_cast<std::uint32_t>(index_of(task.id))] =
        resolution.action == Action::run ? compute(plan, task, resolution.key) : *resolution.record;
  }
  EXPECT_TRUE(ledger.remember_steps(batch_place(batch), memories_of(plan, batch, finished, ledger)).has_value());
  if (cut_off_at.empty()) drop_unneeded(plan, records);
  return ran;
}

std::vector<std::string> PlanWorld::lines(const Plan& plan) const {
  std::vector<std::string> all;
  for (const auto& task : plan.tasks)
    all.push_back(fmt::format("{} {}: {}", name_of(task.action), display_name(plan, batch, task.id), task.reason));
  return all;
}

std::vector<std::string> PlanWorld::lines_not(Action action, const Plan& plan) const {
  std::vector<std::string> some;
  const auto all = lines(plan);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (plan.tasks[i].action != action) some.push_back(all[i]);
  return some;
}

const Task& PlanWorld::find(const Plan& plan, const std::string& name) const {
  for (const auto& task : plan.tasks)
    if (display_name(plan, batch, task.id) == name) return task;
  throw std::out_of_range("no task " + name);
}

}  // namespace atelier
