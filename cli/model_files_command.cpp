// `atelier model info` and `atelier model convert`: what a base model is, and the same in the other layout.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/model_commands.h"
#include "cli/whole_output.h"
#include "diffusion/dtype_names.h"
#include "diffusion/model_write.h"
#include "diffusion/shards.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::BaseModel;
using diffusion::ModelLayout;
using diffusion::ModelPart;

/// What both commands are given about the model to open.
struct Given {
  fs::path path;
  fs::path config;
  std::string prediction_type = "auto";
};

void add_given(CLI::App& command, Given& given, const char* name) {
  command.add_option(name, given.path, "A diffusers folder, or one .safetensors file in the original layout")
      ->type_name("")
      ->required();
  command.add_option("--config", given.config, "A diffusers folder whose configurations hold instead")
      ->type_name("DIR");
  command.add_option("--prediction-type", given.prediction_type, "auto, epsilon or v_prediction")
      ->type_name("NAME")
      ->check(CLI::IsMember({"auto", "epsilon", "v_prediction"}))
      ->capture_default_str();
}

diffusion::Result<BaseModel> open(const Given& given, const Program& program) {
  diffusion::OpenOptions options;
  options.config = given.config;
  options.tokenizer = program.home / "models/clip-tokenizer";
  if (given.prediction_type == "epsilon") options.prediction_type = diffusion::PredictionType::epsilon;
  if (given.prediction_type == "v_prediction") options.prediction_type = diffusion::PredictionType::v_prediction;
  return BaseModel::open(given.path, options);
}

const char* prediction_name(const BaseModel& model) {
  return model.scheduler_config().prediction_type == diffusion::PredictionType::epsilon ? "epsilon" : "v_prediction";
}

std::string widths(const BaseModel& model, ModelPart part) {
  std::vector<int64_t> numbers;
  switch (part) {
    case ModelPart::unet:
      for (const auto& level : model.unet_config().levels) numbers.push_back(level.channels);
      return fmt::format("widths {}", fmt::join(numbers, ", "));
    case ModelPart::vae:
      return fmt::format("widths {}", fmt::join(model.vae_config().block_out_channels, ", "));
    default:
      break;
  }
  const auto& text = model.text_configs()[part == ModelPart::text_encoder ? 0 : 1];
  return fmt::format("{} layers of width {}", text.layers, text.hidden_size);
}

void print_json(const BaseModel& model) {
  nlohmann::json parts = nlohmann::json::object();
  for (const ModelPart part : model.parts()) {
    parts[diffusion::folder_name(part)] = {{"parameters", model.stored(part).parameters},
                                           {"dtype", model.stored(part).dtype}};
  }
  const nlohmann::json all = {{"path", model.path().string()},
                              {"architecture", architecture_name(model.architecture())},
                              {"layout", model.layout() == ModelLayout::original_file ? "file" : "folder"},
                              {"prediction_type", prediction_name(model)},
                              {"parts", parts},
                              {"notes", model.notes()}};
  fmt::print("{}\n", all.dump());
}

void print_text(const BaseModel& model) {
  fmt::print("{}: {}, {}, predicts {}\n", model.path().string(), architecture_name(model.architecture()),
             model.layout() == ModelLayout::original_file ? "one file in the original layout" : "a diffusers folder",
             prediction_name(model));
  for (const ModelPart part : model.parts()) {
    const auto& stored = model.stored(part);
    fmt::print("  {:<15} {:>13} weights  {:<5} {}\n", diffusion::folder_name(part),
               fmt::group_digits(stored.parameters), stored.dtype, widths(model, part));
  }
  for (const auto& note : model.notes()) fmt::print("note: {}\n", note);
}

void tell(Program& program, const char* command, const std::string& what) {
  fmt::print(stderr, "atelier model {}: {}\n", command, what);
  program.exit_code = kWrongInput;
}

// What becomes of the model that is opened.
struct Wanted {
  fs::path out;
  std::string dtype = "base";
  std::uint64_t max_shard_bytes = 0;  // 0: no shards
};

void convert(Program& program, const Given& given, const Wanted& wanted) {
  const fs::path& out = wanted.out;
  WholeOutput output(program.files, out);
  if (std::error_code error; fs::exists(output.place(), error))
    return tell(program, "convert", out.string() + ": is there already");
  const auto model = open(given, program);
  if (!model) return tell(program, "convert", model.error().message);
  for (const auto& note : model->notes()) fmt::print(stderr, "note: {}\n", note);
  diffusion::WriteOptions options;
  options.layout = diffusion::layout_named(out);
  options.dtype = diffusion::dtype_named(wanted.dtype);
  if (wanted.max_shard_bytes != 0 && options.layout == ModelLayout::original_file)
    return tell(program, "convert", "--max-shard-size is of a folder; " + out.string() + " is one file");
  options.title = output.place().stem().string();
  auto failed = [&](const std::string& what) { tell(program, "convert", output.told(what)); };
  if (const auto written = diffusion::write_model(*model, {}, output.partial(), options); !written)
    return failed(written.error().message);
  if (wanted.max_shard_bytes != 0) {
    if (const auto split = diffusion::shard_folder(output.partial(), wanted.max_shard_bytes); !split)
      return failed(split.error().message);
  }
  if (const auto placed = output.put_in_place(); !placed) return failed(placed.error().message);
  fmt::print("{}: {} as {}\n", out.string(), architecture_name(model->architecture()),
             options.layout == ModelLayout::original_file ? "one file in the original layout" : "a diffusers folder");
}

}  // namespace

void add_model_info_command(CLI::App& model, Program& program) {
  auto* info =
      model.add_subcommand("info", "Tell what a base model is: architecture, parts, widths, what is not known");
  auto given = std::make_shared<Given>();
  auto json = std::make_shared<bool>(false);
  add_given(*info, *given, "PATH");
  add_json_flag(*info, *json);
  add_example(*info, "atelier model info v1-5-pruned-emaonly.safetensors");
  info->callback([&program, given, json] {
    const auto opened = open(*given, program);
    if (!opened) return tell(program, "info", opened.error().message);
    *json ? print_json(*opened) : print_text(*opened);
  });
}

void add_model_convert_command(CLI::App& model, Program& program) {
  auto* command = model.add_subcommand(
      "convert", "Write a base model as one .safetensors file or as a diffusers folder, as OUT's name says");
  auto given = std::make_shared<Given>();
  auto wanted = std::make_shared<Wanted>();
  add_given(*command, *given, "IN");
  command
      ->add_option("OUT", wanted->out, "….safetensors for one file, anything else for a folder; must not be there yet")
      ->type_name("")
      ->required();
  command->add_option("--dtype", wanted->dtype, "base, float16, bfloat16 or float32")
      ->type_name("NAME")
      ->check(CLI::IsMember({"base", "float16", "bfloat16", "float32"}))
      ->capture_default_str();
  command
      ->add_option("--max-shard-size", wanted->max_shard_bytes,
                   "Splits weight files of a folder that are larger, as in 9MB or 5GB [no]")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(true));
  add_example(*command, "atelier model convert v1-5-pruned-emaonly.safetensors stable-diffusion-v1-5/");
  command->callback([&program, given, wanted] { convert(program, *given, *wanted); });
}

}  // namespace atelier::cli
