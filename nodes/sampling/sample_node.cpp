#include "sampling/sample_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "lora/lora_weights.h"
#include "model/torch_call.h"
#include "sampling/painter.h"
#include "sampling/preview.h"

namespace atelier {
namespace {

constexpr double kGuessedSecondsPerPicture = 10;

std::vector<ParamSpec> picture_params() {
  const auto size = [](std::string name) {
    return ParamSpec{
        .name = std::move(name),
        .type = ValueType::integer,
        .summary = "Of the pictures, a multiple of what the base takes; absent: what the base was trained at.",
        .unit = "px",
        .minimum = 8,
        .maximum = 4096};
  };
  return {{.name = "steps",
           .type = ValueType::integer,
           .value = 30,
           .summary = "DDIM steps for each picture.",
           .unit = "steps",
           .minimum = 1,
           .maximum = 1000},
          {.name = "guidance",
           .type = ValueType::number,
           .value = 7.5,
           .summary = "Classifier-free guidance scale; 1 or less: without.",
           .minimum = 0,
           .maximum = 100},
          size("width"),
          size("height")};
}

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "sample";
  spec.summary = "Paints a picture for each prompt and seed, with a fused model or a base and LoRAs.";
  spec.place = Place::device;
  spec.inputs = {{"model", "model", "The model to paint with; either this or `base`.", false, false},
                 {"base", "model", "The base model to paint with, `loras` beside it.", false, false},
                 {"loras", "lora", "LoRAs that are added to `base` while painting.", true, false}};
  spec.outputs = {{"pictures", "pictures", "The pictures, prompt by prompt and in it seed by seed."}};
  spec.params = {{.name = "prompts",
                  .type = ValueType::list,
                  .summary = "What to paint; each prompt with each seed.",
                  .element = ValueType::text,
                  .required = true},
                 {.name = "negative", .type = ValueType::text, .value = "", .summary = "What not to paint."},
                 {.name = "seeds",
                  .type = ValueType::list,
                  .value = Value::List{0},
                  .summary = "Where each picture starts from; a seed gives diffusers' picture of that seed.",
                  .minimum = 0,
                  .element = ValueType::integer},
                 weights_param()};
  for (auto& param : picture_params()) spec.params.push_back(std::move(param));
  return spec;
}

PaintSettings settings_of(const Params& params) {
  PaintSettings settings{params.text("negative"), params.integer("steps"), params.number("guidance")};
  if (params.given("width")) settings.width_px = params.integer("width");
  if (params.given("height")) settings.height_px = params.integer("height");
  return settings;
}

// The fused model, or the base with the LoRAs of this step.
Expected<Model> model_for(const Job& job) {
  if (job.has("model")) return Model::from(job.input("model"));
  if (!job.has("base")) return failure("neither 'model' nor 'base' is connected", ErrorKind::fault);
  auto model = Model::from(job.input("base"));
  if (!model) return model;
  auto loras = weighted_loras(job, base_digest(*model));
  if (!loras) return tl::unexpected(loras.error());
  for (auto& lora : *loras) model->loras.push_back(std::move(lora));
  return model;
}

class SampleNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  Needs needs(const Params& params, const InputInfo&) const override {
    Needs needs;
    const auto pictures = params.texts("prompts").size() * params.integers("seeds").size();
    needs.seconds = kGuessedSecondsPerPicture * static_cast<double>(pictures);
    return needs;
  }

  std::vector<std::string> check(const Params& params,
                                 const std::map<std::string, std::size_t>& list_sizes) const override {
    const auto connected = [&](const std::string& port) {
      const auto found = list_sizes.find(port);
      return found != list_sizes.end() && found->second > 0;
    };
    std::vector<std::string> wrong;
    if (connected("model") && connected("base"))
      wrong.push_back("ports 'model' and 'base' are both connected; give a fused model or a base, not both");
    if (!connected("model") && !connected("base"))
      wrong.push_back("neither port 'model' nor port 'base' is connected; give a fused model or a base");
    if (connected("model") && connected("loras"))
      wrong.push_back("port 'loras' goes with 'base'; a fused model has its LoRAs already");
    if (auto weights = check_weights(params, list_sizes); !weights.empty()) wrong.push_back(weights);
    if (params.texts("prompts").empty()) wrong.push_back("param 'prompts' is empty; give at least one prompt");
    if (params.integers("seeds").empty()) wrong.push_back("param 'seeds' is empty; give at least one seed");
    return wrong;
  }

  Expected<Outputs> run_one(const Job& job, Device& device) const override {
    return call_torch(job.context, [&] { return paint_all(job, device); });
  }

 private:
  static Expected<Outputs> paint_all(const Job& job, Device& device) {
    const auto model = model_for(job);
    if (!model) return tl::unexpected(model.error());
    const auto painter = Painter::create(*model, settings_of(job.params), device);
    if (!painter) return tl::unexpected(painter.error());
    const auto prompts = job.params.texts("prompts");
    const auto seeds = job.params.integers("seeds");
    PictureSet pictures;
    for (std::size_t p = 0; p < prompts.size(); ++p) {
      if (const auto lost = painter->truncated(prompts[p]); lost > 0)
        job.context.warn(
            fmt::format("the prompt \"{}\" is too long: its last {} tokens are left out", prompts[p], lost));
      for (const auto seed : seeds) {
        const auto all = static_cast<double>(prompts.size() * seeds.size());
        const auto before = static_cast<double>(pictures.items.size());
        auto picture = painter->paint(fmt::format("{:04}_seed{}.png", p + 1, seed), prompts[p],
                                      static_cast<std::uint64_t>(seed), [&](double part) {
                                        job.context.progress((before + part) / all, "pictures");
                                        return !job.context.stop_requested();
                                      });
        if (!picture) return tl::unexpected(picture.error());
        const auto png = preview_of(picture->pixels);
        if (!png) return tl::unexpected(png.error());
        job.context.preview(std::filesystem::path(picture->name).stem().string(), *png);
        pictures.items.push_back(std::move(*picture));
      }
    }
    return Outputs{{"pictures", pictures.to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_sample_node() { return std::make_unique<SampleNode>(); }

}  // namespace atelier
