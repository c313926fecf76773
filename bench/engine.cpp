// What the engine itself costs: nights of tasks that do nothing, on a real cache. Plans and runs CUSTOMERS customers of
// 100 steps, then plans and runs the same again. Prints the JSON lines of bench/run; a figure per night and size.
//   engine FOLDER CUSTOMERS …
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>

#include "cache/cache.h"
#include "run/run_batch.h"

namespace {
using namespace atelier;
namespace fs = std::filesystem;

constexpr int kSteps = 100;
constexpr double kMostMicroseconds = 20;  // of a task that does nothing

// A photo that no disk has to be asked for.
class Photos final : public PortType {
 public:
  std::string_view name() const override { return "photos"; }
  bool is_input() const override { return true; }
  Expected<Artifact> open_input(const fs::path& path, const FileDigest&) const override {
    Artifact artifact;
    artifact.files.push_back({"photo.jpg", sha256(path.string()), path, 1});
    return artifact;
  }
  Expected<void> write(const Artifact&, const fs::path&, std::string_view) const override { return {}; }
};

class Nothing final : public SingleNode {
 public:
  Nothing() {
    spec_.name = "nothing";
    spec_.summary = "Does nothing.";
    spec_.inputs = {{"in", "photos", "What it does not look at.", false, true}};
    spec_.outputs = {{"out", "photos", "Its input.", false, true}};
    spec_.keep = Keep::recipe;
    ParamSpec seed;
    seed.name = "seed";
    seed.type = ValueType::integer;
    seed.value = 0;
    spec_.params.push_back(seed);
  }
  const NodeSpec& spec() const override { return spec_; }
  Expected<Outputs> run_one(const Job& job, Device&) const override { return Outputs{{"out", job.input("in")}}; }

 private:
  NodeSpec spec_;
};

Batch batch_of(std::size_t customers, const Node& node, const PortType& photos) {
  Batch batch;
  batch.file = "/night/batch.yaml";
  batch.pipeline.inputs = {{"photo", &photos, Scope::customer, {}}};
  const NodeSpec& spec = node.spec();
  for (int i = 0; i < kSteps; ++i) {
    PipelineStep step;
    step.name = fmt::format("step_{}", i);
    step.node = &node;
    step.scope = Scope::customer;
    step.inputs.push_back({&spec.inputs[0], {Source{Source::Kind::input, 0, ""}}});
    step.params = {{spec.param("seed"), Expression{Value(static_cast<std::int64_t>(i)), {}, {}, false}, {}}};
    batch.pipeline.steps.push_back(std::move(step));
  }
  for (std::size_t i = 0; i < customers; ++i) {
    Customer customer;
    customer.id = fmt::format("customer_{:07}", i);
    customer.inputs["photo"] = "/photos/" + customer.id;
    batch.customers.push_back(std::move(customer));
  }
  return batch;
}

[[noreturn]] void stop(const std::string& why) {
  fmt::print(stderr, "engine: {}\n", why);
  std::exit(1);
}

double megabytes_at_most() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1000;
}

void print(std::string_view night, std::size_t tasks, std::string_view what, double ours, std::string_view unit,
           double bar) {
  fmt::print(
      "{{\"bench\": \"engine\", \"case\": \"{}, {} tasks, {}\", \"ours\": {:.3f}, \"peer\": null, \"unit\": \"{}\", "
      "\"ratio\": null, \"bar\": {}}}\n",
      night, tasks, what, ours, unit, bar > 0 ? fmt::format("{}", bar) : "null");
}

struct World {
  std::unique_ptr<Files> files = make_posix_files();
  SystemClock clock;
  NodeRegistry registry;

  void run(const fs::path& folder, std::size_t customers, std::string_view night, double most_us) {
    const Batch batch = batch_of(customers, *registry.find("nothing"), *registry.find_type("photos"));
    const auto began = std::chrono::steady_clock::now();
    auto cache = open_cache(*files, folder / "cache", [](const std::string&) {}, clock);
    if (!cache) stop(cache.error().message);
    RunOptions options;
    options.out = folder / "out";
    options.devices = {{false, 0}};
    options.machine.cores = 2;
    ThreadTicker ticker;
    StopToken token;
    const auto result = run_batch(options, batch,
                                  {.registry = registry,
                                   .store = (*cache)->store(),
                                   .ledger = (*cache)->ledger(),
                                   .files = *files,
                                   .clock = clock,
                                   .ticker = ticker,
                                   .stop = token});
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began;
    if (result.exit_code != 0) stop(result.summary);
    const std::size_t tasks = customers * kSteps;
    print(night, tasks, "in all", passed.count(), "s", 0);
    print(night, tasks, "of each task", passed.count() * 1e6 / static_cast<double>(tasks), "us", most_us);
    print(night, tasks, "most memory so far", megabytes_at_most(), "MB", 0);
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) stop("engine FOLDER CUSTOMERS …");
  World world;
  world.registry.add_type(std::make_unique<Photos>());
  world.registry.add(std::make_unique<Nothing>());
  for (int i = 2; i < argc; ++i) {
    const fs::path folder = fs::absolute(argv[1]) / argv[i];
    const auto customers = static_cast<std::size_t>(std::atol(argv[i]));
    world.run(folder, customers, "first night", kMostMicroseconds);
    world.run(folder, customers, "second night", 0);
  }
}
