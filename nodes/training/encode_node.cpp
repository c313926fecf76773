#include "training/encode_node.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "model/base_model.h"
#include "model/tensors.h"
#include "model/torch_call.h"
#include "training/caption_encoder.h"
#include "training/mask_grid.h"
#include "training/signed_pixels.h"
#include "types/captions.h"
#include "types/images.h"
#include "types/latents.h"

namespace atelier {
namespace {

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "encode";
  spec.version = 2;
  spec.summary =
      "Turns images into the base model's latents (the VAE's mean and deviation) and captions into what its text "
      "encoders make of them.";
  spec.place = Place::device;
  spec.inputs = {
      {"base", "model", "The base model whose VAE and text encoder are used."},
      {"images", "images", "The images, of sizes the base takes (multiples of 64 px for SD 1.5)."},
      {"captions", "captions",
       "All captions that a dataset of these images will use; without them a training encodes them itself, as "
       "it does where it trains a text encoder or changes the words.",
       true, false}};
  spec.outputs = {{"latents", "latents", "Latents of each image, and hidden states of each different caption."}};
  spec.params = {
      {.name = "clip_skip",
       .type = ValueType::integer,
       .value = 1,
       .summary = "As kohya and WebUI count: 1 is the text encoder's last layer, 2 the one before, for SD 1 "
                  "only. A training of these images goes by it too.",
       .minimum = 1,
       .maximum = 2},
      {.name = "max_token_length",
       .type = ValueType::integer,
       .value = 75,
       .summary = "Captions are cut to so many tokens: 75, 150 or 225. A training of these images goes by it "
                  "too.",
       .unit = "tokens",
       .minimum = 75,
       .maximum = 225},
      {.name = "vae_tile_px",
       .type = ValueType::integer,
       .summary = "Larger images pass the VAE in overlapping tiles of this side, blended: less memory, slightly other "
                  "latents; absent: whole.",
       .unit = "px",
       .minimum = 64,
       .maximum = 4096},
      {.name = "batch_size",
       .type = ValueType::integer,
       .value = 4,
       .summary = "How many images go through the VAE at once.",
       .unit = "images",
       .minimum = 1,
       .maximum = 64,
       .role = ParamRole::execution}};
  return spec;
}

constexpr std::array<std::int64_t, 3> kTokenLengths{75, 150, 225};

Error stopped() { return {ErrorKind::stopped, "encoding was stopped"}; }

// RGB in [-1, 1], [N, 3, H, W], of images of one size.
at::Tensor pixels_of(std::span<const Image> images) {
  std::vector<at::Tensor> all;
  for (const auto& image : images) all.push_back(signed_pixels(image));
  return at::stack(all);
}

// A picture that no photo stands behind is its own original.
PhotoSizes sizes_of(const Image& image) {
  const bool known = image.original_width > 0;
  return {known ? image.original_height : image.height(),
          known ? image.original_width : image.width(),
          image.crop_top,
          image.crop_left,
          image.height(),
          image.width()};
}

Tensor validity_of(const Image& image, std::int64_t height, std::int64_t width) {
  if (image.valid) return mask_on_grid(*image.valid, height, width);
  return Tensor::of({height, width}, std::vector<float>(static_cast<std::size_t>(height * width), 1.0f));
}

std::string check_size(const Image& image, std::int64_t multiple) {
  if (image.width() % multiple == 0 && image.height() % multiple == 0) return {};
  return fmt::format("{}: {} x {} px; this base takes multiples of {} px: resize the images first", image.name,
                     image.width(), image.height(), multiple);
}

// As many images from `first` on as are of its size, at most `limit`.
std::span<const Image> next_batch(std::span<const Image> images, std::size_t first, std::size_t limit) {
  std::size_t count = 1;
  while (count < limit && first + count < images.size() &&
         images[first + count].pixels.shape() == images[first].pixels.shape())
    ++count;
  return images.subspan(first, count);
}

Expected<std::vector<EncodedPhoto>> encode_images(const Job& job, const Model& base, std::span<const Image> images,
                                                  Device& device) {
  const auto opened = open_base(base, job.context);
  if (!opened) return tl::unexpected(opened.error());
  for (const auto& image : images)
    if (auto wrong = check_size(image, size_multiple(*opened)); !wrong.empty()) return failure(wrong);
  const auto vae = resident_vae(base, device);
  if (!vae) return tl::unexpected(vae.error());
  diffusion::VaePass pass;
  if (job.params.given("vae_tile_px")) pass.tile_px = job.params.integer("vae_tile_px");
  const auto limit = static_cast<std::size_t>(job.params.integer("batch_size"));
  std::vector<EncodedPhoto> photos;
  while (photos.size() < images.size()) {
    if (job.context.stop_requested()) return tl::unexpected(stopped());
    job.context.progress(static_cast<double>(photos.size()) / static_cast<double>(images.size()), "images");
    const auto batch = next_batch(images, photos.size(), limit);
    const auto posterior = (*vae)->encode(pixels_of(batch).to(torch_device(device.id())), pass);
    if (!posterior) return passed_on(posterior.error());
    const auto mean = posterior->mean.cpu(), deviation = posterior->std().cpu();  // [N, 4, h, w]
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      photos.push_back({batch[i].name, batch[i].photo, as_tensor(mean[row].clone()), as_tensor(deviation[row].clone()),
                        validity_of(batch[i], mean.size(2), mean.size(3)), sizes_of(batch[i]), batch[i].repeats,
                        batch[i].mirrored});
    }
  }
  return photos;
}

// Every caption by itself, so that its hidden states do not depend on which others there are.
Expected<EncodedTexts> encode_texts(const Job& job, const Model& base, const TextSettings& settings,
                                    const std::set<std::string>& captions, Device& device) {
  EncodedTexts texts;
  if (captions.empty()) return texts;
  const auto encoder = CaptionEncoder::create(base, settings, device);
  if (!encoder) return tl::unexpected(encoder.error());
  for (const auto& caption : captions) {
    if (job.context.stop_requested()) return tl::unexpected(stopped());
    if (const auto told = encoder->told_if_cut(caption); !told.empty()) job.context.warn(told);
    auto text = encoder->encode(caption);
    if (!text) return tl::unexpected(text.error());
    texts[caption] = std::move(*text);
  }
  return texts;
}

Expected<std::set<std::string>> different_captions(const std::vector<Artifact>& artifacts) {
  std::set<std::string> captions;
  for (const auto& artifact : artifacts) {
    const auto set = CaptionSet::from(artifact);
    if (!set) return tl::unexpected(set.error());
    for (const auto& caption : set->items) captions.insert(caption.text);
  }
  return captions;
}

class EncodeNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    const auto length = params.integer("max_token_length");
    if (std::ranges::count(kTokenLengths, length) > 0) return {};
    return {fmt::format("param 'max_token_length' is {}; it can be 75, 150 or 225", length)};
  }

  Expected<Outputs> run_one(const Job& job, Device& device) const override {
    return call_torch(job.context, [&] { return encode(job, device); });
  }

 private:
  static Expected<Outputs> encode(const Job& job, Device& device) {
    const auto base = Model::from(job.input("base"));
    if (!base) return tl::unexpected(base.error());
    if (!base->loras.empty()) return failure("encode takes a base model; this one is fused");
    const auto images = ImageSet::from(job.input("images"));
    if (!images) return tl::unexpected(images.error());
    const auto captions = different_captions(job.input_list("captions"));
    if (!captions) return tl::unexpected(captions.error());
    auto photos = encode_images(job, *base, images->items, device);
    if (!photos) return tl::unexpected(photos.error());
    const TextSettings settings{job.params.integer("clip_skip"), job.params.integer("max_token_length")};
    auto texts = encode_texts(job, *base, settings, *captions, device);
    if (!texts) return tl::unexpected(texts.error());
    return Outputs{{"latents", Latents{std::move(*photos), std::move(*texts), settings}.to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_encode_node() { return std::make_unique<EncodeNode>(); }

}  // namespace atelier
