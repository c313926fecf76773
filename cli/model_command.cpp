#include <fmt/format.h>
#include <unistd.h>
#include <limits>

#include "cli/model_commands.h"
#include "cli/option_checks.h"
#include "cli/program.h"
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
  auto* init = model->add_subcommand(
      "init", "Make a small base with random weights, as a diffusers folder, to try a pipeline with");
  auto options = std::make_shared<diffusion::InitOptions>();
  auto folder = std::make_shared<fs::path>();
  init->add_option("DIR", *folder, "The folder to make; the model appears there whole or not at all")
      ->type_name("")
      ->required();
  init->add_option("--arch", options->arch, "The architecture: sd1, sd2 or sdxl")->type_name("NAME")->capture_default_str();
  init->add_option("--width", options->width, "Channels of the first level, a multiple of 32")
      ->type_name("N")
      ->check(whole_number(kWidthStep, kMostWidth))
      ->capture_default_str();
  init->add_option("--seed", options->seed, "The seed of the weights")
      ->type_name("N")
      ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()))
      ->capture_default_str();
  add_example(*init, "atelier model init --arch sd1 --width 32 --seed 7 out/base");
  init->callback([&program, options, folder] {
    std::error_code error;
    const fs::path target = fs::absolute(*folder).lexically_normal();
    if (fs::exists(target, error) && !(fs::is_directory(target, error) && fs::is_empty(target, error))) {
      fmt::print(stderr, "{}: is there already and not an empty folder; give another name, or remove it first\n",
                 folder->string());
      program.exit_code = kWrongInput;
      return;
    }
    fs::path partial = target.has_filename() ? target : target.parent_path();
    const fs::path place = partial;
    partial += fmt::format(".partial-{}", getpid());
    if (const auto made = diffusion::init_model(*options, partial, program.home / "models/clip-tokenizer"); !made) {
      fs::remove_all(partial, error);
      fmt::print(stderr, "atelier model init: {}\n", made.error().message);
      program.exit_code = kWrongInput;
      return;
    }
    if (const auto renamed = program.files.rename(partial, place); !renamed) {
      fs::remove_all(partial, error);
      fmt::print(stderr, "atelier model init: {}\n", renamed.error().message);
      program.exit_code = kWrongInput;
      return;
    }
    fmt::print("{}: a base of architecture {}, width {}, with random weights of seed {}\n", folder->string(),
               options->arch, options->width, options->seed);
  });
  add_model_info_command(*model, program);
  add_model_convert_command(*model, program);
}

}  // namespace atelier::cli
