// The `portrait_probe` command: trains the network that tells what a portrait shows, and asks it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/error.h"
#include "diffusion/task_threads.h"
#include "probe/picture_tensor.h"
#include "probe/probe_check.h"
#include "probe/probe_file.h"
#include "probe/probe_reading.h"
#include "probe/probe_training.h"
#include "run_program.h"

namespace atelier::probe {
namespace {

constexpr std::int64_t kStepsBetweenLines = 50;

struct Options {
  std::filesystem::path weights;
  std::vector<std::filesystem::path> pictures;
  std::int64_t count = 6000, check_count = 500, check_seed = 99;
  ProbeTraining training;
  bool json = false, augmented = false;
};

template <class T>
T given(diffusion::Result<T> result) {
  if (!result) throw UserError(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// Or the disk would refuse what took minutes to make.
void refuse_missing_folder(const std::filesystem::path& file) {
  const auto folder = std::filesystem::absolute(file).parent_path();
  if (!std::filesystem::is_directory(folder))
    throw UserError(fmt::format("{}: is not a folder; make it or name another file", folder.string()));
}

void train(const Options& o) {
  refuse_missing_folder(o.weights);
  fmt::print("{} pictures are rendered\n", o.count);
  std::fflush(stdout);
  const RenderedSet set = rendered_set(o.training.seed, o.count);
  const auto told = [&](const ProbeStep& s) {
    if ((s.step + 1) % kStepsBetweenLines != 0 && s.step + 1 != o.training.steps) return;
    fmt::print("step {} of {}: loss {:.4f} (words {:.4f}, identity {:.4f})\n", s.step + 1, o.training.steps, s.loss,
               s.words_loss, s.identity_loss);
    std::fflush(stdout);
  };
  given(write_probe(given(train_probe(set, o.training, told)), o.weights));
}

void read(const Options& o) {
  const ProbeNet net = given(read_probe(o.weights));
  for (const auto& path : o.pictures) {
    nlohmann::json line = to_json(read_pictures(net, given(read_picture(path)).unsqueeze(0)).front());
    line["file"] = path.string();
    fmt::print("{}\n", line.dump());
  }
}

void check(const Options& o) {
  const ProbeNet net = given(read_probe(o.weights));
  const Check found = check_probe(net, rendered_set(o.check_seed, o.check_count),
                                  o.augmented ? Condition::augmented : Condition::as_rendered, o.check_seed);
  if (o.json) {
    fmt::print("{}\n", to_json(found).dump(2));
    return;
  }
  for (const auto& a : found.attributes)
    fmt::print("{:15} {:5.1f} %  ({} of {})\n", a.attribute, 100 * a.share_right(), a.right, a.told);
  fmt::print("identity: error {:.3f}, strangers {:.3f} apart\n", found.identity_error, found.strangers_distance);
}

void add_train(CLI::App& app, Options& o) {
  auto* command = app.add_subcommand("train", "Train a network on rendered pictures");
  command->add_option("OUT", o.weights, "The file to write, .safetensors")->required();
  command->add_option("--count", o.count, "How many pictures")->capture_default_str()->check(CLI::Range(2, 1000000));
  command->add_option("--steps", o.training.steps, "Steps of the optimizer")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  command->add_option("--seed", o.training.seed, "Another seed, other pictures and weights")->capture_default_str();
  command->callback([&o] { train(o); });
}

void add_read(CLI::App& app, Options& o) {
  auto* command = app.add_subcommand("read", "What pictures show: one JSON line each");
  command->add_option("WEIGHTS", o.weights, "What `train` wrote")->required();
  command->add_option("PICTURE", o.pictures, "Picture files")->required();
  command->callback([&o] { read(o); });
}

void add_check(CLI::App& app, Options& o) {
  auto* command = app.add_subcommand("check", "How often the network is right about fresh renders");
  command->add_option("WEIGHTS", o.weights, "What `train` wrote")->required();
  command->add_option("--count", o.check_count, "How many pictures")
      ->capture_default_str()
      ->check(CLI::Range(2, 100000));
  command->add_option("--seed", o.check_seed, "Another seed, other pictures; not the training's")
      ->capture_default_str();
  command->add_flag("--augmented", o.augmented, "Make the pictures worse as in the training");
  command->add_flag("--json", o.json, "As JSON");
  command->callback([&o] { check(o); });
}

int run(int argc, char** argv) {
  diffusion::use_all_cores();
  Options o;
  CLI::App app{"What portraits show, told by a small network", "portrait_probe"};
  app.require_subcommand(1);
  add_train(app, o);
  add_read(app, o);
  add_check(app, o);
  return run_program(app, argc, argv);
}

}  // namespace
}  // namespace atelier::probe

int main(int argc, char** argv) { return atelier::probe::run(argc, argv); }
