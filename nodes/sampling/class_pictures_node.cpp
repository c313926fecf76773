#include "sampling/class_pictures_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "diffusion/dtype_names.h"
#include "diffusion/prompt.h"
#include "diffusion/sampler.h"
#include "model/base_model.h"
#include "model/fused_weights.h"
#include "model/torch_call.h"
#include "sampling/painter.h"
#include "sampling/preview.h"
#include "sampling/sample_spec.h"
#include "types/captions.h"
#include "types/images.h"

namespace atelier {
namespace {

constexpr double kGuessedSecondsPerPicture = 10;
constexpr std::int64_t kCheckpointEvery = 20;  // pictures: minutes of painting, and small beside a training's state
constexpr std::size_t kShown = 8;              // pictures in the report

ParamSpec size_param(std::string name) {
  return {.name = std::move(name),
          .type = ValueType::integer,
          .summary = "Of the pictures that are made; absent: what the base was trained at. Give what `resize` gives.",
          .unit = "px",
          .minimum = 8,
          .maximum = 4096};
}

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "class_pictures";
  spec.summary =
      "Pictures of the class that a training's subject belongs to, for prior preservation: those given, and as many "
      "more of the base's own as are missing.";
  spec.version = 2;
  spec.place = Place::device;
  spec.inputs = {{"base", "model", "The base model that the training starts from; what is missing is made by it."},
                 {"images", "images", "Photos of the class, where there are some.", false, false}};
  spec.outputs = {
      {"images", "images", "The given images, then the base's own."},
      {"captions", "captions", "`prompt`'s words for each; a given image's own .txt caption comes before them."}};
  spec.params = {{.name = "prompt",
                  .type = ValueType::text,
                  .summary = "The class in words, without the trigger: \"a photo of a person\". In `sample`'s grammar, "
                             "of which the captions keep the words.",
                  .required = true},
                 {.name = "count",
                  .type = ValueType::integer,
                  .value = 200,
                  .summary = "How many images there shall be; none are made where as many are given.",
                  .unit = "images",
                  .minimum = 1,
                  .maximum = 10000},
                 {.name = "seed",
                  .type = ValueType::integer,
                  .value = 0,
                  .summary = "Of the first picture that is made; the next has the next one.",
                  .minimum = 0},
                 {.name = "negative",
                  .type = ValueType::text,
                  .summary = "What not to paint; absent: the empty text, in SDXL zeros unless model_index.json says "
                             "force_zeros_for_empty_prompt: false."},
                 {.name = "sampler",
                  .type = ValueType::text,
                  .value = "ddim",
                  .summary = "How noise becomes a picture, as in `sample`.",
                  .choices = sampler_choices()},
                 {.name = "steps",
                  .type = ValueType::integer,
                  .value = 30,
                  .summary = "Steps of the sampler for each picture.",
                  .unit = "steps",
                  .minimum = 1,
                  .maximum = 1000},
                 {.name = "guidance",
                  .type = ValueType::number,
                  .value = 7.5,
                  .summary = "Classifier-free guidance scale; 1 or less: without.",
                  .minimum = 0,
                  .maximum = 100},
                 size_param("width"),
                 size_param("height"),
                 precision_param()};
  return spec;
}

PaintSettings settings_of(const Params& params) {
  PaintSettings settings;
  if (params.given("negative")) settings.negative = params.text("negative");
  const auto sampler = diffusion::sampler_named(params.text("sampler"));
  if (!sampler) throw Fault(sampler.error().message);
  settings.sampler = *sampler;
  settings.steps = params.integer("steps");
  settings.guidance = params.number("guidance");
  settings.dtype = diffusion::dtype_named(params.text("precision")).value();
  if (params.given("width")) settings.width_px = params.integer("width");
  if (params.given("height")) settings.height_px = params.integer("height");
  return settings;
}

// What a made picture is known by: all that makes it, so that what is drawn for it in a training is the same wherever
// and whenever it was painted.
Digest recipe_of(const Digest& base, const Params& params, std::int64_t seed, const Image& image) {
  Encoder recipe;
  recipe.text("class picture").digest(base).text(params.text("prompt"));
  params.given("negative") ? recipe.text(params.text("negative")) : recipe.absent();
  recipe.text(params.text("sampler"));
  recipe.integer(seed).integer(params.integer("steps")).number(params.number("guidance"));
  if (const auto precision = params.text("precision"); precision != "float32") recipe.text(precision);
  return recipe.integer(image.width()).integer(image.height()).finish();
}

// The prompt without its grammar: captions are literal.
Expected<std::string> words_of(const std::string& prompt) {
  const auto parsed = diffusion::parse_prompt(prompt);
  if (!parsed) return passed_on(parsed.error());
  std::string words;
  for (const auto& part : parsed->parts) words += (part.starts_chunk ? " " : "") + part.text;
  return words;
}

// A name that no given image has.
std::string free_name(std::int64_t seed, std::set<std::string>& taken) {
  auto name = fmt::format("class_{:05}.png", seed);
  while (!taken.insert(name).second) name = "made_" + name;
  return name;
}

class ClassPictures {
 public:
  ClassPictures(const Job& job, Device& device) : job_(job), device_(device) {}

  Expected<Outputs> make() {
    if (auto read = read_given(); !read) return tl::unexpected(read.error());
    const auto given = static_cast<std::int64_t>(set_.items.size());
    if (auto made = paint_missing(job_.params.integer("count") - given); !made) return tl::unexpected(made.error());
    const auto words = words_of(job_.params.text("prompt"));
    if (!words) return tl::unexpected(words.error());
    CaptionSet captions;
    for (const auto& image : set_.items) captions.items.push_back({image.name, image.text.value_or(*words)});
    return Outputs{{"images", set_.to_artifact()}, {"captions", captions.to_artifact()}};
  }

 private:
  Expected<void> read_given() {
    if (!job_.has("images")) return {};
    auto given = ImageSet::from(job_.input("images"));
    if (!given) return tl::unexpected(given.error());
    set_ = std::move(*given);
    for (const auto& image : set_.items) taken_.insert(image.name);
    return {};
  }

  // Every picture is one of a seed alone, so those of a checkpoint are those that would be made.
  Expected<void> paint_missing(std::int64_t missing) {
    if (missing <= 0) return {};
    const auto model = Model::from(job_.input("base"));
    if (!model) return tl::unexpected(model.error());
    if (!model->loras.empty()) return failure("class_pictures takes a base model; this one is fused");
    if (const auto told = open_base(*model, job_.context); !told) return tl::unexpected(told.error());
    const auto painter = Painter::create(*model, settings_of(job_.params), device_);
    if (!painter) return tl::unexpected(painter.error());
    auto made = resumed(missing);
    if (!made) return tl::unexpected(made.error());
    for (auto done = static_cast<std::int64_t>(made->items.size()); done < missing; ++done) {
      auto image = paint(*painter, base_digest(*model), done, missing);
      if (!image) return stopped_with(*made, image.error());
      made->items.push_back(std::move(*image));
      if ((done + 1) % kCheckpointEvery == 0 && done + 1 < missing) {
        if (auto saved = job_.context.save_checkpoint(made->to_artifact()); !saved) return saved;
      }
    }
    show_first(*made);
    for (auto& image : made->items) set_.items.push_back(std::move(image));
    return {};
  }

  // Some of what was painted is enough to see what it is.
  void show_first(const ImageSet& made) const {
    for (std::size_t i = 0; i < std::min(made.items.size(), kShown); ++i) {
      const auto& image = made.items[i];
      if (const auto png = preview_of(image.pixels))
        job_.context.preview(std::filesystem::path(image.name).stem().string(), *png);
    }
  }

  Expected<ImageSet> resumed(std::int64_t missing) {
    const auto state = job_.context.load_checkpoint();
    if (!state) return ImageSet{};
    auto made = ImageSet::from(*state);
    if (!made) return made;
    if (static_cast<std::int64_t>(made->items.size()) > missing)
      return failure("the checkpoint has more pictures than the task makes", ErrorKind::fault);
    for (const auto& image : made->items) taken_.insert(image.name);
    return made;
  }

  // What was painted until then is kept for the next run.
  Expected<void> stopped_with(const ImageSet& made, const Error& error) {
    if (error.kind == ErrorKind::stopped && !made.items.empty())
      if (auto saved = job_.context.save_checkpoint(made.to_artifact()); !saved) return saved;
    return tl::unexpected(error);
  }

  Expected<Image> paint(const Painter& painter, const Digest& base, std::int64_t done, std::int64_t missing) {
    const auto seed = job_.params.integer("seed") + done;
    auto picture = painter.paint(
        free_name(seed, taken_), job_.params.text("prompt"), static_cast<std::uint64_t>(seed), [&](double part) {
          job_.context.progress((static_cast<double>(done) + part) / static_cast<double>(missing), "class pictures");
          return !job_.context.stop_requested();
        });
    if (!picture) return tl::unexpected(picture.error());
    Image image;
    image.name = picture->name;
    image.pixels = picture->pixels;
    image.photo = recipe_of(base, job_.params, seed, image);
    image.original_width = image.width();
    image.original_height = image.height();
    return image;
  }

  const Job& job_;
  Device& device_;
  ImageSet set_;
  std::set<std::string> taken_;
};

class ClassPicturesNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  Needs needs(const Params& params, const InputInfo&) const override {
    Needs needs;
    needs.seconds = kGuessedSecondsPerPicture * static_cast<double>(params.integer("count"));
    return needs;
  }

  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    if (const auto words = words_of(params.text("prompt")); !words) return {words.error().message};
    if (params.text("prompt").empty())
      return {"param 'prompt' is empty; name the class, as in \"a photo of a person\""};
    if (params.integer("seed") > std::numeric_limits<std::int64_t>::max() - params.integer("count"))
      return {"param 'seed' leaves no room for the seeds of all pictures"};
    return {};
  }

  Expected<Outputs> run_one(const Job& job, Device& device) const override {
    return call_torch(job.context, [&] { return ClassPictures(job, device).make(); });
  }
};

}  // namespace

std::unique_ptr<const Node> make_class_pictures_node() { return std::make_unique<ClassPicturesNode>(); }

}  // namespace atelier
