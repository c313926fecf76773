#include "diffusion/base_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "diffusion/config_file.h"
#include "diffusion/json_reader.h"
#include "diffusion/original_detect.h"
#include "diffusion/original_prediction.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

/// What model_index.json says that counts here.
struct ModelIndex {
  bool sdxl = false;                ///< the two others share a pipeline
  bool zeros_for_no_prompt = true;  ///< force_zeros_for_empty_prompt, which diffusers takes for true where it is absent
};

/// Errors: another pipeline, the refiner.
Result<ModelIndex> read_index(const fs::path& index_file) {
  auto index = read_json_object(index_file);
  if (!index) return tl::unexpected(index.error());
  JsonReader reader(*index, index_file.string());
  const std::string name = reader.text("_class_name", "StableDiffusionPipeline");
  reader.only("_class_name", {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionXLPipeline",
                              "StableDiffusionXLImg2ImgPipeline"});
  if (reader.flag("requires_aesthetics_score", false)) reader.mistake("is the SDXL refiner, which is not supported");
  const ModelIndex result{name.starts_with("StableDiffusionXL"), reader.flag("force_zeros_for_empty_prompt", true)};
  if (auto ok = reader.check(); !ok) return tl::unexpected(ok.error());
  return result;
}

/// What the original layout says of the noise schedule is next to nothing: all published models have this one, and
/// where it ends in noise alone a sampling has to begin there, which "trailing" does (Lin et al. 2023).
SchedulerConfig original_scheduler(const Prediction& prediction) {
  SchedulerConfig scheduler;
  scheduler.prediction_type = prediction.type;
  scheduler.rescale_betas_zero_snr = prediction.zero_terminal_snr;
  scheduler.timestep_spacing = prediction.zero_terminal_snr ? TimestepSpacing::trailing : TimestepSpacing::leading;
  return scheduler;
}

std::string prediction_name(PredictionType type) {
  return type == PredictionType::epsilon ? "epsilon" : "v_prediction";
}

std::optional<int64_t> read_global_step(const Safetensors& file) {
  const auto step = file.tensor("global_step");
  if (!step || step->numel() != 1) return std::nullopt;
  return step->to(at::kLong).item<int64_t>();
}

}  // namespace

std::string_view architecture_name(Architecture architecture) {
  switch (architecture) {
    case Architecture::sd1:
      return "Stable Diffusion 1.x";
    case Architecture::sd2:
      return "Stable Diffusion 2.x";
    case Architecture::sdxl:
      break;
  }
  return "SDXL";
}

Result<BaseModel> BaseModel::open(const fs::path& path, const OpenOptions& options) {
  std::error_code ignored;
  BaseModel model;
  model.path_ = path;
  model.options_ = options;
  if (!fs::exists(path, ignored)) return fail(fmt::format("{}: no such folder or file", path.string()));
  auto opened = fs::is_directory(path, ignored) ? model.open_folder() : model.open_file();
  if (!opened) return tl::unexpected(opened.error());
  return model;
}

Result<void> BaseModel::open_folder() {
  std::error_code ignored;
  layout_ = ModelLayout::diffusers_folder;
  if (!fs::exists(path_ / "model_index.json", ignored)) {
    return fail(fmt::format("{}: is not a diffusers folder: it has no model_index.json", path_.string()));
  }
  if (auto ok = read_configs(config_folder()); !ok) return ok;
  std::vector<std::pair<ModelPart, WeightFiles>> files;
  for (const ModelPart part : parts()) {
    auto opened = open_weights(path_ / folder_name(part));
    if (!opened) return tl::unexpected(opened.error());
    files.emplace_back(part, std::move(*opened));
  }
  if (auto ok = account_for(files); !ok) return ok;
  auto configs = config_files(path_);
  if (!configs) return tl::unexpected(configs.error());
  files_ = std::move(*configs);
  list_files();
  return {};
}

Result<void> BaseModel::open_file() {
  layout_ = ModelLayout::original_file;
  if (auto ok = refuse_pickle(path_); !ok) return ok;
  auto file = Safetensors::open(path_);
  if (!file) return tl::unexpected(file.error());
  const auto named = [&](const Error& error) { return fail(fmt::format("{}: {}", path_.string(), error.message)); };
  const auto architecture = detect_architecture(file->entries());
  if (!architecture) return named(architecture.error());
  only_averages_ = has_only_averages(file->entries());
  if (only_averages_)
    notes_.push_back(
        fmt::format("{}: holds the UNet as running averages alone (model_ema), and those are used", path_.string()));
  if (options_.config.empty()) {
    auto detected = detect_model(file->entries());
    if (!detected) return named(detected.error());
    architecture_ = detected->architecture;
    unet_ = std::move(detected->unet);
    vae_ = std::move(detected->vae);
    text_ = std::move(detected->text);
    decide_scheduler(*file);
    if (auto ok = check_fit(); !ok) return ok;
  } else {
    if (auto ok = read_configs(options_.config); !ok) return ok;
    if (architecture_ != *architecture) {
      return fail(fmt::format("{}: is {}, the configurations in {} are of {}", path_.string(),
                              architecture_name(*architecture), options_.config.string(),
                              architecture_name(architecture_)));
    }
  }
  std::vector<std::pair<ModelPart, WeightFiles>> files;
  for (const ModelPart part : parts()) files.emplace_back(part, WeightFiles{{*file}});
  files_ = {path_.filename()};
  return account_for(files);
}

void BaseModel::decide_scheduler(const Safetensors& file) {
  Prediction prediction = detect_prediction(architecture_, file.entries(), file.metadata(), read_global_step(file));
  if (options_.prediction_type) {
    prediction.type = *options_.prediction_type;
    prediction.why = "as was asked for";
  }
  scheduler_ = original_scheduler(prediction);
  if (architecture_ == Architecture::sd2 && prediction.type == PredictionType::v_prediction) {
    unet_.sample_size = 96;  // SD 2.x's v models were trained at 768 px
  }
  notes_.push_back(fmt::format("{}: predicts {}{}: {}", path_.string(), prediction_name(prediction.type),
                               prediction.zero_terminal_snr ? " over a schedule that ends in noise alone" : "",
                               prediction.why));
}

Result<void> BaseModel::read_configs(const fs::path& folder) {
  const auto index = read_index(folder / "model_index.json");
  if (!index) return tl::unexpected(index.error());
  zeros_without_negative_ = index->zeros_for_no_prompt;
  auto ok = read_config(folder / "unet/config.json", parse_unet_config, unet_);
  if (ok) ok = read_config(folder / "vae/config.json", parse_vae_config, vae_);
  text_.assign(index->sdxl ? 2 : 1, {});
  if (ok) ok = read_config(folder / "text_encoder/config.json", parse_text_config, text_[0]);
  if (ok && index->sdxl) ok = read_config(folder / "text_encoder_2/config.json", parse_text_config, text_[1]);
  if (ok) ok = read_config(folder / "scheduler/scheduler_config.json", parse_scheduler_config, scheduler_);
  if (!ok) return ok;
  architecture_ = architecture_of(index->sdxl, unet_);
  if (options_.prediction_type) scheduler_.prediction_type = *options_.prediction_type;
  return check_fit();
}

Result<void> BaseModel::check_fit() const {
  std::vector<int64_t> widths;
  for (const TextConfig& text : text_) widths.push_back(text.hidden_size);
  if (unet_.cross_attention_dim != std::accumulate(widths.begin(), widths.end(), int64_t{0})) {
    return fail(
        fmt::format("{}: the UNet attends to {} numbers a token (cross_attention_dim), the text {} {} "
                    "(hidden_size)",
                    path_.string(), unet_.cross_attention_dim, widths.size() == 1 ? "encoder gives" : "encoders give",
                    fmt::join(widths, " + ")));
  }
  if (unet_.in_channels != vae_.latent_channels || unet_.out_channels != vae_.latent_channels) {
    return fail(
        fmt::format("{}: the UNet has {} channels in and {} out, the VAE {} (latent_channels); inpainting and "
                    "other variants are not supported",
                    path_.string(), unet_.in_channels, unet_.out_channels, vae_.latent_channels));
  }
  return {};
}

std::vector<ModelPart> BaseModel::parts() const {
  std::vector<ModelPart> parts{ModelPart::unet, ModelPart::vae, ModelPart::text_encoder};
  if (text_.size() == 2) parts.push_back(ModelPart::text_encoder_2);
  return parts;
}

std::vector<WeightPlace> BaseModel::wanted_places(ModelPart part) const {
  std::vector<WeightPlace> places = original_places(part);
  if (layout_ == ModelLayout::diffusers_folder) return in_folder(std::move(places));
  if (part == ModelPart::unet && only_averages_)
    for (WeightPlace& place : places) place.key = averaged_key(place.key);
  return places;
}

std::string BaseModel::key_prefix(ModelPart part) const {
  if (layout_ == ModelLayout::diffusers_folder) return {};
  const bool averages = part == ModelPart::unet && only_averages_;
  return averages ? std::string(kAveragesPrefix) : original_prefix(part, architecture_);
}

std::vector<WeightPlace> BaseModel::original_places(ModelPart part) const {
  switch (part) {
    case ModelPart::unet:
      return original_unet(unet_);
    case ModelPart::vae:
      return original_vae(vae_);
    case ModelPart::text_encoder:
      return architecture_ == Architecture::sd2 ? original_open_clip(text_[0]) : original_clip(text_[0]);
    case ModelPart::text_encoder_2:
      break;
  }
  return original_open_clip(text_[1]);
}

/// Where each weight lies, what is missing, and what nobody knows. In a single file that holds for all parts at once.
Result<void> BaseModel::account_for(const std::vector<std::pair<ModelPart, WeightFiles>>& parts) {
  const bool single = layout_ == ModelLayout::original_file;
  std::set<std::string> used;
  for (const auto& [part, files] : parts) {
    if (!single) used.clear();
    auto stored = find_weights(files, wanted_places(part), key_prefix(part), used);
    if (!stored) return tl::unexpected(stored.error());
    stored_[part] = std::move(*stored);
    if (single && part != parts.back().first) continue;
    std::vector<std::string> unknown;
    for (const Safetensors& file : files.files) {
      for (const auto& [key, entry] : file.entries()) {
        if (!used.contains(key) && !known_extra(key, architecture_, text_[0].layers)) unknown.push_back(key);
      }
    }
    if (unknown.empty()) continue;
    notes_.push_back(fmt::format("{}: {} {} not known and left out: {}", files.name(), unknown.size(),
                                 unknown.size() == 1 ? "weight is" : "weights are", first_five(unknown)));
  }
  return {};
}

void BaseModel::list_files() {
  for (const auto& [part, stored] : stored_) {
    for (const fs::path& file : stored.files) files_.push_back(file.lexically_relative(path_));
    if (!stored.index.empty()) files_.push_back(stored.index.lexically_relative(path_));
  }
  std::ranges::sort(files_);
}

Result<std::vector<fs::path>> config_files(const fs::path& folder) {
  const auto index = read_index(folder / "model_index.json");
  if (!index) return tl::unexpected(index.error());
  std::vector<fs::path> files{"model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
                              "unet/config.json", "vae/config.json"};
  if (index->sdxl) files.emplace_back("text_encoder_2/config.json");
  for (const fs::path& file : files) {
    if (!fs::is_regular_file(folder / file)) return fail(fmt::format("{}: is missing", (folder / file).string()));
  }
  // Diffusers itself reads more than vocab.json and merges.txt, so all of a tokenizer belongs to the model.
  for (const fs::path tokenizer : {"tokenizer", "tokenizer_2"}) {
    if (tokenizer == "tokenizer_2" && !index->sdxl) continue;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder / tokenizer, error)) {
      const auto extension = entry.path().extension();
      if (entry.is_regular_file() && (extension == ".json" || extension == ".txt")) {
        files.push_back(tokenizer / entry.path().filename());
      }
    }
    if (error) return fail(fmt::format("{}: cannot be read: {}", (folder / tokenizer).string(), error.message()));
  }
  std::ranges::sort(files);
  return files;
}

fs::path BaseModel::config_folder() const {
  if (!options_.config.empty()) return options_.config;
  return layout_ == ModelLayout::diffusers_folder ? path_ : fs::path();
}

fs::path BaseModel::tokenizer_folder(std::size_t encoder) const {
  const fs::path configs = config_folder();
  return configs.empty() ? options_.tokenizer : configs / (encoder == 0 ? "tokenizer" : "tokenizer_2");
}

}  // namespace atelier::diffusion
