#include "diffusion/base_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diffusion/json_reader.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

/// The first of the usual names of a part's weights. A half-precision variant serves where it is all there is.
Result<fs::path> find_weights(const fs::path& root, const fs::path& part, const std::string& stem,
                              const std::string& pickle_stem) {
  for (const char* suffix : {".safetensors", ".fp16.safetensors"}) {
    if (fs::is_regular_file(root / part / (stem + suffix))) return part / (stem + suffix);
  }
  const fs::path wanted = root / part / (stem + ".safetensors");
  if (fs::exists(root / part / (stem + ".safetensors.index.json"))) {
    return fail(fmt::format("{}: weights in several files are not supported; save the model again as one file each",
                            (root / part / (stem + ".safetensors.index.json")).string()));
  }
  for (const std::string& pickle : {stem + ".bin", pickle_stem + ".bin"}) {
    if (!fs::exists(root / part / pickle)) continue;
    if (auto refused = refuse_pickle(root / part / pickle); !refused) return tl::unexpected(refused.error());
  }
  return fail(fmt::format("{}: is missing", wanted.string()));
}

Result<void> check_pipeline(const fs::path& index_file) {
  auto index = read_json_object(index_file);
  if (!index) return tl::unexpected(index.error());
  JsonReader reader(*index, index_file.string());
  reader.only("_class_name", {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"});
  return reader.check();
}

template <class Config>
Result<void> read_config(const fs::path& file, Result<Config> (*parse)(const nlohmann::json&, const std::string&),
                         Config& config) {
  auto json = read_json_object(file);
  if (!json) return tl::unexpected(json.error());
  auto parsed = parse(*json, file.string());
  if (!parsed) return tl::unexpected(parsed.error());
  config = std::move(*parsed);
  return {};
}

Result<WeightMap> read_tensors(const fs::path& path) {
  auto file = Safetensors::open(path);
  if (!file) return tl::unexpected(file.error());
  return file->tensors();
}

/// A weight that nothing asked for means that the file holds another model than the configuration says.
Result<void> check_none_left(const WeightReader& weights, const fs::path& path) {
  const auto left = weights.unknown();
  if (left.empty()) return {};
  return fail(fmt::format("{}: {} {} no place in the model that config.json describes, the first is {}", path.string(),
                          left.size(), left.size() == 1 ? "weight has" : "weights have", left.front()));
}

template <class Model, class Config>
Result<std::shared_ptr<const Model>> load_part(const fs::path& path, const Config& config, ModelOptions options) {
  auto tensors = read_tensors(path);
  if (!tensors) return tl::unexpected(tensors.error());
  WeightReader weights(std::move(*tensors), path.string(), options);
  auto model = Model::create(config, weights);
  if (!model) return tl::unexpected(model.error());
  if (auto ok = check_none_left(weights, path); !ok) return tl::unexpected(ok.error());
  return model;
}

}  // namespace

Result<BaseModel> BaseModel::open(const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_regular_file(folder, ignored)) {
    return fail(
        fmt::format("{}: is one file; a base model has to be a diffusers folder (diffusers' script "
                    "convert_original_stable_diffusion_to_diffusers.py makes one of it)",
                    folder.string()));
  }
  if (!fs::is_directory(folder, ignored)) return fail(fmt::format("{}: no such folder", folder.string()));
  const fs::path index = folder / "model_index.json";
  if (!fs::exists(index, ignored)) {
    return fail(fmt::format("{}: is not a diffusers folder: it has no model_index.json", folder.string()));
  }
  if (auto ok = check_pipeline(index); !ok) return tl::unexpected(ok.error());
  BaseModel model;
  model.path_ = folder;
  if (auto ok = model.read_configs(); !ok) return tl::unexpected(ok.error());
  if (auto ok = model.find_files(); !ok) return tl::unexpected(ok.error());
  return model;
}

Result<void> BaseModel::read_configs() {
  const std::string name = path_.string();
  auto ok = read_config(path_ / "unet/config.json", parse_unet_config, unet_);
  if (ok) ok = read_config(path_ / "vae/config.json", parse_vae_config, vae_);
  if (ok) ok = read_config(path_ / "text_encoder/config.json", parse_text_config, text_);
  if (ok) ok = read_config(path_ / "scheduler/scheduler_config.json", parse_scheduler_config, scheduler_);
  if (!ok) return ok;
  if (unet_.cross_attention_dim != text_.hidden_size) {
    return fail(
        fmt::format("{}: the UNet attends to {} numbers a token (cross_attention_dim), the text encoder gives {} "
                    "(hidden_size)",
                    name, unet_.cross_attention_dim, text_.hidden_size));
  }
  if (unet_.in_channels != vae_.latent_channels || unet_.out_channels != vae_.latent_channels) {
    return fail(
        fmt::format("{}: the UNet has {} channels in and {} out, the VAE {} (latent_channels); inpainting and "
                    "other variants are not supported",
                    name, unet_.in_channels, unet_.out_channels, vae_.latent_channels));
  }
  return {};
}

Result<void> BaseModel::find_files() {
  for (const auto& [part, stem, file] : {std::tuple{"unet", "diffusion_pytorch_model", &unet_file_},
                                         {"vae", "diffusion_pytorch_model", &vae_file_},
                                         {"text_encoder", "model", &text_file_}}) {
    auto found = find_weights(path_, part, stem, "pytorch_model");
    if (!found) return tl::unexpected(found.error());
    *file = std::move(*found);
  }
  files_ = {"model_index.json",         "scheduler/scheduler_config.json",
            "text_encoder/config.json", text_file_,
            "unet/config.json",         unet_file_,
            "vae/config.json",          vae_file_};
  // Diffusers itself reads more than vocab.json and merges.txt, so all of the tokenizer belongs to the model.
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_ / "tokenizer", error)) {
    const auto extension = entry.path().extension();
    if (entry.is_regular_file() && (extension == ".json" || extension == ".txt")) {
      files_.push_back(fs::path("tokenizer") / entry.path().filename());
    }
  }
  if (error) return fail(fmt::format("{}: cannot be read: {}", (path_ / "tokenizer").string(), error.message()));
  std::ranges::sort(files_);
  return {};
}

Result<std::shared_ptr<const ClipTokenizer>> BaseModel::tokenizer() const {
  auto tokenizer = ClipTokenizer::open(path_ / "tokenizer");
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  if (static_cast<int64_t>(tokenizer->vocabulary_size()) > text_.vocab_size ||
      static_cast<int64_t>(tokenizer->length()) > text_.max_positions) {
    return fail(fmt::format("{}: the tokenizer has {} entries and length {}, the text encoder takes {} and {}",
                            path_.string(), tokenizer->vocabulary_size(), tokenizer->length(), text_.vocab_size,
                            text_.max_positions));
  }
  return std::make_shared<const ClipTokenizer>(std::move(*tokenizer));
}

Result<std::shared_ptr<const ClipTextModel>> BaseModel::text_encoder(ModelOptions options) const {
  return load_part<ClipTextModel>(path_ / text_file_, text_, options);
}

Result<std::shared_ptr<const Vae>> BaseModel::vae(ModelOptions options) const {
  return load_part<Vae>(path_ / vae_file_, vae_, options);
}

Result<std::shared_ptr<const UNet>> BaseModel::unet(ModelOptions options) const {
  return load_part<UNet>(path_ / unet_file_, unet_, options);
}

Result<WeightMap> BaseModel::unet_weights() const { return read_tensors(path_ / unet_file_); }
Result<WeightMap> BaseModel::text_weights() const { return read_tensors(path_ / text_file_); }

Result<at::Tensor> StableDiffusion::encode_texts(std::span<const std::string> texts) const {
  auto states = text->encode(tokenizer->encode_batch(texts));
  if (!states) return tl::unexpected(states.error());
  return states->last;
}

Result<std::shared_ptr<const StableDiffusion>> load_stable_diffusion(const fs::path& folder, ModelOptions options) {
  auto model = BaseModel::open(folder);
  if (!model) return tl::unexpected(model.error());
  auto tokenizer = model->tokenizer();
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  auto text = model->text_encoder(options);
  if (!text) return tl::unexpected(text.error());
  auto vae = model->vae(options);
  if (!vae) return tl::unexpected(vae.error());
  auto unet = model->unet(options);
  if (!unet) return tl::unexpected(unet.error());
  return std::make_shared<const StableDiffusion>(
      StableDiffusion{*tokenizer, *text, *vae, *unet, model->scheduler_config()});
}

}  // namespace atelier::diffusion
