// `atelier lora fuse`: LoRAs added to a base model.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <future>

#include "cli/json_text.h"
#include "cli/lora_commands.h"
#include "cli/lora_output.h"
#include "cli/option_checks.h"
#include "cli/weighted_loras.h"
#include "cli/whole_output.h"
#include "diffusion/dtype_names.h"
#include "diffusion/lora_fuse.h"
#include "diffusion/model_write.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::BaseModel;
using diffusion::fail;
using diffusion::LoraSource;
using diffusion::Metadata;
using diffusion::ModelPart;
using diffusion::Result;

struct Options {
  fs::path base;
  fs::path config;
  WeightedOptions weighted;
  bool skip_unknown = false;
  fs::path out;
  std::string dtype = "base";
  std::string title;
  bool json = false;
};

// Where OUT may be written; before anything is read.
Result<void> check_place(const Options& options, const std::vector<fs::path>& loras) {
  std::vector<fs::path> inputs = loras;
  inputs.push_back(options.base);
  if (auto free = check_target(options.out, inputs); !free) return free;
  std::error_code error;
  const bool is_file = diffusion::layout_named(options.out) == diffusion::ModelLayout::original_file;
  if (is_file ? fs::is_directory(options.out, error) : is_taken(options.out))
    return fail(fmt::format("{}: is there already and {}; give another name, or remove it first", options.out.string(),
                            is_file ? "a folder" : "not an empty folder"));
  return {};
}

Result<std::vector<LoraSource>> open_all(const Options& options, const Weighting& weighting, const BaseModel& base) {
  std::vector<LoraSource> sources;
  for (std::size_t i = 0; i < weighting.paths.size(); ++i) {
    auto source = diffusion::open_lora(weighting.paths[i], options.skip_unknown);
    if (!source) return tl::unexpected(source.error());
    if (auto fits = diffusion::check_architecture(source->updates.lora, base.architecture(), source->path.string());
        !fits)
      return tl::unexpected(fits.error());
    if (auto used = weighting.blocks[i].check_used_by(source->updates.lora); !used)
      return fail(fmt::format("{}: {}", source->path.string(), used.error().message));
    sources.push_back(*std::move(source));
  }
  return sources;
}

// Layers of a model that the base does not have at all would be passed over part by part.
Result<void> check_parts(const BaseModel& base, const LoraSource& source) {
  const auto parts = base.parts();
  for (const auto& [layer, update] : diffusion::layers_of(source.updates)) {
    const auto has = [&](ModelPart part) { return diffusion::lora_part_of(part) == diffusion::part_of(layer); };
    if (std::ranges::none_of(parts, has))
      return fail(fmt::format("{}: LoRA layer '{}': the base model has no such layer", source.path.string(), layer));
  }
  return {};
}

Result<diffusion::ModelChanges> changes_of(const BaseModel& base, const std::vector<LoraSource>& sources,
                                           const Weighting& weighting) {
  std::vector<diffusion::WeightedUpdates> terms;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (auto known = check_parts(base, sources[i]); !known) return tl::unexpected(known.error());
    terms.push_back({&sources[i].updates, weighting.weights[i], weighting.blocks[i]});
  }
  diffusion::ModelChanges changes;
  for (const ModelPart part : base.parts()) {
    const auto layers = diffusion::lora_part_of(part);
    if (!layers) continue;
    const auto weights = base.weights(part, diffusion::Finiteness::unchecked);
    if (!weights) return tl::unexpected(weights.error());
    for (std::size_t i = 0; i < sources.size(); ++i)  // one at a time, to tell whose mistake it is
      if (auto one = diffusion::fusion(*weights, *layers, {&terms[i], 1}); !one)
        return fail(fmt::format("{}: {}", sources[i].path.string(), one.error().message));
    // Summed in float32; the writer casts.
    auto of_part = diffusion::fusion(*weights, *layers, terms, {.method = weighting.method, .dtype = at::kFloat});
    if (!of_part) return tl::unexpected(of_part.error());
    if (!of_part->empty()) changes[part] = *std::move(of_part);
  }
  return changes;
}

Metadata provenance_of(const Options& options, const Weighting& weighting, const std::vector<LoraSource>& sources,
                       const std::string& base_hash) {
  diffusion::Provenance provenance("fuse");
  record(options.weighted, weighting, sources, provenance);
  return provenance.input("base", base_hash).metadata();
}

// The base's hash is taken while the model is written, and goes into the header, which is written last.
Result<void> write(const Options& options, const BaseModel& base, const Weighting& weighting,
                   const std::vector<LoraSource>& sources, const fs::path& partial) {
  const auto changes = changes_of(base, sources, weighting);
  if (!changes) return tl::unexpected(changes.error());
  auto base_hash = std::async(std::launch::async, [&] { return diffusion::hash_of(base); }).share();
  diffusion::WriteOptions how;
  how.layout = diffusion::layout_named(options.out);
  how.dtype = diffusion::dtype_named(options.dtype);
  how.title = options.title.empty() ? WholeOutput::place_of(options.out).stem().string() : options.title;
  if (how.layout == diffusion::ModelLayout::original_file) how.metadata["modelspec.title"] = how.title;
  const std::string unknown_yet(64, '0');
  how.late = {.placeholder = provenance_of(options, weighting, sources, unknown_yet),
              .known = [&](const std::string&) -> Result<Metadata> {
                const auto& hash = base_hash.get();
                if (!hash) return tl::unexpected(hash.error());
                return provenance_of(options, weighting, sources, *hash);
              }};
  return diffusion::write_model(base, *changes, partial, how);
}

void print(const Options& options, const BaseModel& base, std::size_t loras) {
  const bool file = diffusion::layout_named(options.out) == diffusion::ModelLayout::original_file;
  if (options.json) {
    const nlohmann::json json = {{"out", options.out.string()},
                                 {"architecture", architecture_name(base.architecture())},
                                 {"layout", file ? "file" : "folder"},
                                 {"dtype", options.dtype},
                                 {"loras", loras}};
    fmt::print("{}\n", json_text(json, kOneLine));
    return;
  }
  fmt::print("{}: {} with {}, {}\n", options.out.string(), architecture_name(base.architecture()),
             counted(loras, "LoRA"), file ? "one file in the original layout" : "a diffusers folder");
}

Result<void> run(Program& program, const Options& options) {
  const auto weighting = weighting_of(options.weighted);
  if (!weighting) return tl::unexpected(weighting.error());
  if (auto free = check_place(options, weighting->paths); !free) return free;
  const auto base = open_base(program, options.base, options.config);
  if (!base) return tl::unexpected(base.error());
  const auto sources = open_all(options, *weighting, *base);
  if (!sources) return tl::unexpected(sources.error());
  WholeOutput output(program.files, options.out);
  if (auto written = write(options, *base, *weighting, *sources, output.partial()); !written)
    return fail(output.told(written.error().message));
  if (auto placed = output.put_in_place(); !placed) return fail(output.told(placed.error().message));
  print(options, *base, sources->size());
  return {};
}

}  // namespace

void add_lora_fuse_command(CLI::App& lora, Program& program) {
  auto* command = lora.add_subcommand("fuse", "Add LoRAs to a base model");
  auto options = std::make_shared<Options>();
  command->add_option("BASE", options->base, "A diffusers folder, or one .safetensors file in the original layout")
      ->type_name("")
      ->required();
  add_weighted_options(*command, options->weighted);
  command->add_option("--config", options->config, "A diffusers folder whose configurations hold instead of BASE's")
      ->type_name("DIR");
  command->add_flag("--skip-unknown", options->skip_unknown, "Leaves out keys that are in no naming that is known");
  command
      ->add_option("-o,--out", options->out,
                   "….safetensors for one file, which is replaced if it is there; anything else for a folder")
      ->type_name("OUT")
      ->required();
  command->add_option("--dtype", options->dtype, "base, float16, bfloat16 or float32")
      ->type_name("NAME")
      ->check(one_of({"base", "float16", "bfloat16", "float32"}))
      ->capture_default_str();
  command->add_option("--title", options->title, "What a single file's metadata calls it [OUT's name]")
      ->type_name("TEXT");
  add_json_flag(*command, options->json);
  add_example(*command,
              "atelier lora fuse sd15.safetensors mia.safetensors:0.9 ink.safetensors:0.6 -o mia-ink.safetensors");
  command->callback([&program, options] { tell(program, "fuse", run(program, *options)); });
}

}  // namespace atelier::cli
