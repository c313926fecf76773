#include "training/encode_node.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/base_model.h"
#include "model/tensors.h"
#include "model/torch_call.h"
#include "training/mask_grid.h"
#include "types/captions.h"
#include "types/images.h"
#include "types/latents.h"

namespace atelier {
namespace {

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "encode";
  spec.summary =
      "Turns images into the base model's latents (the VAE's mean and deviation) and captions into the text "
      "encoder's hidden states.";
  spec.place = Place::device;
  spec.inputs = {{"base", "model", "The base model whose VAE and text encoder are used."},
                 {"images", "images", "The images, of a size the base takes (a multiple of 8 px)."},
                 {"captions", "captions", "All captions that a dataset of these images will use.", true}};
  spec.outputs = {{"latents", "latents", "Latents of each image, and hidden states of each different caption."}};
  spec.params = {{.name = "batch_size",
                  .type = ValueType::integer,
                  .value = 4,
                  .summary = "How many images go through the VAE at once.",
                  .unit = "images",
                  .minimum = 1,
                  .maximum = 64,
                  .role = ParamRole::execution}};
  return spec;
}

Error stopped() { return {ErrorKind::stopped, "encoding was stopped"}; }

// RGB in [-1, 1], [N, 3, H, W], of images of one size.
at::Tensor pixels_of(std::span<const Image> images) {
  std::vector<at::Tensor> all;
  for (const auto& image : images) all.push_back(as_torch(image.pixels).permute({2, 0, 1}).to(at::kFloat));
  return at::stack(all).div_(127.5).sub_(1);
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
  const auto folder = open_base(base);
  if (!folder) return tl::unexpected(folder.error());
  for (const auto& image : images)
    if (auto wrong = check_size(image, size_multiple(*folder)); !wrong.empty()) return failure(wrong);
  const auto vae = resident_vae(base, device);
  if (!vae) return tl::unexpected(vae.error());
  const auto limit = static_cast<std::size_t>(job.params.integer("batch_size"));
  std::vector<EncodedPhoto> photos;
  while (photos.size() < images.size()) {
    if (job.context.stop_requested()) return tl::unexpected(stopped());
    job.context.progress(static_cast<double>(photos.size()) / static_cast<double>(images.size()), "images");
    const auto batch = next_batch(images, photos.size(), limit);
    const auto posterior = (*vae)->encode(pixels_of(batch).to(torch_device(device.id())));
    if (!posterior) return passed_on(posterior.error());
    const auto mean = posterior->mean.cpu(), deviation = posterior->std().cpu();  // [N, 4, h, w]
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      photos.push_back({batch[i].name, batch[i].photo, as_tensor(mean[row].clone()), as_tensor(deviation[row].clone()),
                        validity_of(batch[i], mean.size(2), mean.size(3))});
    }
  }
  return photos;
}

// Every caption by itself, so that its hidden states do not depend on which others there are.
Expected<std::map<std::string, Tensor>> encode_texts(const Job& job, const Model& base,
                                                     const std::set<std::string>& captions, Device& device) {
  const auto encoders = resident_text_encoders(base, device);
  if (!encoders) return tl::unexpected(encoders.error());
  std::map<std::string, Tensor> texts;
  for (const auto& caption : captions) {
    if (job.context.stop_requested()) return tl::unexpected(stopped());
    if (const auto lost = (*encoders)->truncated(caption); lost > 0)
      job.context.warn(fmt::format("the caption \"{}\" is too long: its last {} tokens are left out", caption, lost));
    const auto words = (*encoders)->encode_captions({&caption, 1});
    if (!words) return passed_on(words.error());
    texts[caption] = as_tensor(words->context[0]);  // [77, D]
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
    auto texts = encode_texts(job, *base, *captions, device);
    if (!texts) return tl::unexpected(texts.error());
    return Outputs{{"latents", Latents{std::move(*photos), std::move(*texts)}.to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_encode_node() { return std::make_unique<EncodeNode>(); }

}  // namespace atelier
