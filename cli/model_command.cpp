#include <fmt/format.h>
#include <limits>

#include "cli/model_commands.h"
#include "cli/option_checks.h"
#include "cli/program.h"
#include "cli/whole_output.h"
#include "diffusion/model_init.h"

namespace atelier::cli {
namespace fs = std::filesystem;

// What init_model() takes.
constexpr std::uint64_t kWidthStep = 32;
constexpr std::uint64_t kMostWidth = 320;

// `atelier model init DIR`: a small base model with random weights, to try a pipeline with.
void add_model_command(CLI::App& app, Program& program) {
  auto* model = app.add_subcommand("model", "Base models");
  model->require_subcommand(1);
  add_example(*model, "atelier model init --arch sd1 --width 32 --seed 7 out/base");
  auto* init = model->add_subcommand("init",
                                     "Make a base with random weights, as a diffusers folder: a small one to try a "
                                     "pipeline with, or one of your own configuration to train from nothing");
  auto options = std::make_shared<diffusion::InitOptions>();
  auto folder = std::make_shared<fs::path>();
  auto config = std::make_shared<fs::path>();
  init->add_option("DIR", *folder, "The folder to make; the model appears there whole or not at all")
      ->type_name("")
      ->required();
  auto* arch = init->add_option("--arch", options->arch, "The architecture: sd1, sd2 or sdxl")
                   ->type_name("NAME")
                   ->capture_default_str();
  auto* width = init->add_option("--width", options->width, "Channels of the first level, a multiple of 32")
                    ->type_name("N")
                    ->check(whole_number(kWidthStep, kMostWidth))
                    ->capture_default_str();
  init->add_option("--config", *config,
                   "A diffusers folder without weights: configurations and tokenizers that the base is made of")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory)
      ->excludes(arch)
      ->excludes(width);
  init->add_option("--seed", options->seed, "The seed of the weights")
      ->type_name("N")
      ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()))
      ->capture_default_str();
  add_example(*init, "atelier model init --arch sd1 --width 32 --seed 7 out/base");
  init->callback([&program, options, folder, config] {
    if (is_taken(*folder)) {
      fmt::print(stderr, "{}: is there already and not an empty folder; give another name, or remove it first\n",
                 folder->string());
      program.exit_code = kWrongInput;
      return;
    }
    WholeOutput output(program.files, *folder);
    auto failed = [&](const std::string& what) {
      fmt::print(stderr, "atelier model init: {}\n", output.told(what));
      program.exit_code = kWrongInput;
    };
    const auto made = config->empty()
                          ? diffusion::init_model(*options, output.partial(), program.home / "models/clip-tokenizer")
                          : diffusion::init_model_of(*config, options->seed, output.partial());
    if (!made) return failed(made.error().message);
    if (const auto placed = output.put_in_place(); !placed) return failed(placed.error().message);
    if (!config->empty()) {
      fmt::print("{}: a base of the configuration in {}, with random weights of seed {}\n", folder->string(),
                 config->string(), options->seed);
      return;
    }
    fmt::print("{}: a base of architecture {}, width {}, with random weights of seed {}\n", folder->string(),
               options->arch, options->width, options->seed);
  });
  add_model_info_command(*model, program);
  add_model_convert_command(*model, program);
}

}  // namespace atelier::cli
