#include "sampling/sample_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "lora/lora_weights.h"
#include "model/base_model.h"
#include "model/embeddings.h"
#include "model/torch_call.h"
#include "sampling/painter.h"
#include "sampling/preview.h"
#include "sampling/sample_spec.h"

namespace atelier {
namespace {

constexpr double kGuessedSecondsPerPicture = 10;

// The fused model, or the base with the LoRAs of this step.
Expected<Model> model_for(const Job& job) {
  if (job.has("model")) return Model::from(job.input("model"));
  if (!job.has("base")) return failure("neither 'model' nor 'base' is connected", ErrorKind::fault);
  auto model = Model::from(job.input("base"));
  if (!model) return model;
  auto loras = weighted_loras(job, *model);
  if (!loras) return tl::unexpected(loras.error());
  for (auto& lora : *loras) model->loras.push_back(std::move(lora));
  return model;
}

// Empty where the names are absent, or one for each LoRA and such that a prompt can hold them.
std::string check_names(const Params& params, std::size_t loras) {
  if (!params.given("lora_names")) return {};
  const auto names = params.texts("lora_names");
  if (names.size() != loras)
    return fmt::format("param 'lora_names' has {} name{}, port 'loras' {} source{}; there must be one for each",
                       names.size(), names.size() == 1 ? "" : "s", loras, loras == 1 ? "" : "s");
  std::set<std::string> seen;
  for (const auto& name : names) {
    if (name.empty() || name.find_first_of(":<>") != std::string::npos)
      return fmt::format("param 'lora_names' has \"{}\"; a name is not empty and has none of : < >", name);
    if (!seen.insert(name).second) return fmt::format("param 'lora_names' has \"{}\" twice", name);
  }
  return {};
}

// The pictures of one task as they come: named, shown in the report, counted.
class Easel {
 public:
  Easel(const Job& job, const Painter& painter)
      : context_(job.context),
        painter_(painter),
        prompts_(job.params.texts("prompts")),
        batch_size_(static_cast<std::size_t>(job.params.integer("batch_size"))) {
    for (const auto seed : job.params.integers("seeds")) seeds_.push_back(static_cast<std::uint64_t>(seed));
  }

  Expected<PictureSet> paint() {
    for (std::size_t p = 0; p < prompts_.size(); ++p)
      if (auto done = paint_prompt(p); !done) return tl::unexpected(done.error());
    return std::move(pictures_);
  }

 private:
  Expected<void> paint_prompt(std::size_t p) {
    const auto prepared = painter_.prepare(prompts_[p]);
    if (!prepared) return tl::unexpected(prepared.error());
    const std::span seeds(seeds_);
    for (std::size_t begin = 0; begin < seeds.size(); begin += batch_size_) {
      const auto count = std::min(batch_size_, seeds.size() - begin);
      auto painted = painter_.paint(*prepared, seeds.subspan(begin, count),
                                    [&](double part) { return tell(part * static_cast<double>(count)); });
      if (!painted) return tl::unexpected(painted.error());
      for (std::size_t i = 0; i < count; ++i) {
        (*painted)[i].name = fmt::format("{:04}_seed{}.png", p + 1, seeds[begin + i]);
        const PngTexts words{{"Title", fmt::format("prompt {}, seed {}", p + 1, seeds[begin + i])},
                             {"Description", prompts_[p]}};
        if (auto kept = keep(std::move((*painted)[i]), words); !kept) return kept;
      }
    }
    return {};
  }

  // False where the painting is to stop. `part` is how many of the pictures under way are done.
  bool tell(double part) const {
    const auto all = static_cast<double>(prompts_.size() * seeds_.size());
    context_.progress((static_cast<double>(pictures_.items.size()) + part) / all, "pictures");
    return !context_.stop_requested();
  }

  Expected<void> keep(Picture picture, const PngTexts& words) {
    const auto png = preview_of(picture.pixels, words);
    if (!png) return tl::unexpected(png.error());
    context_.preview(std::filesystem::path(picture.name).stem().string(), *png);
    pictures_.items.push_back(std::move(picture));
    return {};
  }

  Context& context_;
  const Painter& painter_;
  std::vector<std::string> prompts_;
  std::vector<std::uint64_t> seeds_;
  std::size_t batch_size_;
  PictureSet pictures_;
};

class SampleNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = sample_spec();
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
    const auto sources = [&](const std::string& port) {
      const auto found = list_sizes.find(port);
      return found == list_sizes.end() ? 0 : found->second;
    };
    std::vector<std::string> wrong;
    if (sources("model") > 0 && sources("base") > 0)
      wrong.push_back("ports 'model' and 'base' are both connected; give a fused model or a base, not both");
    if (sources("model") == 0 && sources("base") == 0)
      wrong.push_back("neither port 'model' nor port 'base' is connected; give a fused model or a base");
    if (sources("model") > 0 && sources("loras") > 0)
      wrong.push_back("port 'loras' goes with 'base'; a fused model has its LoRAs already");
    if (auto weights = check_weights(params, list_sizes); !weights.empty()) wrong.push_back(weights);
    if (auto names = check_names(params, sources("loras")); !names.empty()) wrong.push_back(names);
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
    if (const auto told = open_base(*model, job.context); !told) return tl::unexpected(told.error());
    PaintWords words;
    if (job.params.given("lora_names")) words.lora_names = job.params.texts("lora_names");
    auto embeddings = embeddings_of(job, base_digest(*model));
    if (!embeddings) return tl::unexpected(embeddings.error());
    words.embeddings = *std::move(embeddings);
    const auto painter = Painter::create(*model, paint_settings_of(job.params), device, std::move(words));
    if (!painter) return tl::unexpected(painter.error());
    const auto pictures = Easel(job, *painter).paint();
    if (!pictures) return tl::unexpected(pictures.error());
    return Outputs{{"pictures", pictures->to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_sample_node() { return std::make_unique<SampleNode>(); }

}  // namespace atelier
