#include "training/dataset_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "model/tensors.h"
#include "model/torch_call.h"
#include "training/mask_grid.h"
#include "types/captions.h"
#include "types/dataset.h"
#include "types/latents.h"
#include "types/masks.h"

namespace atelier {
namespace {

constexpr std::size_t kFewPhotos = 3;     // of a customer; with fewer a training learns the photos, not the person
constexpr double kLeastMaskShare = 0.01;  // of the photo; under it a mask is told and weighs at most 1
constexpr double kLargestCappedWeight = 1.0;

NodeSpec make_spec() {
  NodeSpec spec;
  spec.name = "dataset";
  spec.version = 2;
  spec.summary = "Puts photos, masks and captions together as one set that `train` learns from.";
  spec.inputs = {
      {"latents", "latents", "The photos, and the captions' hidden states, from `encode`."},
      {"captions", "captions", "The words each photo is learned under; `encode` must have been given them too."},
      {"masks", "masks", "Which part of each photo is learned; without it all that alignment did not invent.", false,
       false}};
  spec.outputs = {{"dataset", "dataset", "The set."}};
  spec.params = {
      {.name = "repeats",
       .type = ValueType::integer,
       .value = 1,
       .summary = "How often each photo is shown in one round through the set, times its own repeats (kohya's "
                  "folders); steps_per_image counts them too.",
       .minimum = 1,
       .maximum = 10000},
      {.name = "weight",
       .type = ValueType::number,
       .value = 1.0,
       .summary =
           "Factor of the loss of each photo. Of class pictures beside the instance's set it is prior_loss_weight: the "
           "loss is then mean(instance) + weight * mean(class), as diffusers' DreamBooth has it.",
       .minimum = 0.0001,
       .maximum = 1000},
      {.name = "share",
       .type = ValueType::number,
       .value = 1.0,
       .summary = "How much this set counts in a training's loss, relative to the other sets; equal by default.",
       .minimum = 0.0001,
       .maximum = 1000},
      {.name = "customer",
       .type = ValueType::boolean,
       .value = false,
       .summary = "Whether these are the customer's own photos: steps_per_image counts only those, and fewer than 3 "
                  "are told."}};
  return spec;
}

// The item of that name; null where there is none.
template <class Items>
const typename Items::value_type* named(const Items& items, const std::string& name) {
  const auto found = std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

double mean(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// What the photo is learned under: its mask on the latents' grid, and nothing that was invented.
Expected<Tensor> mask_for(const EncodedPhoto& photo, const std::optional<MaskSet>& masks) {
  if (!masks) return photo.validity;
  const auto* mask = named(masks->items, photo.name);
  if (!mask)
    return failure(fmt::format("{}: there is no mask for it; give `dataset` masks of the same images that `encode` got",
                               photo.name));
  auto grid = mask_on_grid(mask->mask, photo.mean.shape()[1], photo.mean.shape()[2]);
  return least_of(grid, photo.validity);
}

Expected<DatasetItem> item_for(const EncodedPhoto& photo, const std::optional<MaskSet>& masks,
                               const CaptionSet& captions, const Job& job) {
  const auto* caption = named(captions.items, photo.name);
  if (!caption)
    return failure(fmt::format(
        "{}: there is no caption for it; give `dataset` captions of the same images that `encode` got", photo.name));
  auto mask = mask_for(photo, masks);
  if (!mask) return tl::unexpected(mask.error());
  const double share = mean(mask->values<float>());
  if (!(share > 0))
    return failure(
        fmt::format("{}: its mask is empty, so nothing of it would be learned; take the photo out or choose "
                    "another region",
                    photo.name));
  double weight = job.params.number("weight");
  if (share < kLeastMaskShare) {
    weight = std::min(weight, kLargestCappedWeight);
    job.context.warn(fmt::format("{}: the mask covers only {:.2g} % of it; its weight is at most {}", photo.name,
                                 100 * share, kLargestCappedWeight));
  }
  return DatasetItem{photo.name, photo.photo, photo.mean,    photo.deviation, *mask,         caption->text,
                     weight,     photo.sizes, photo.repeats, photo.mirrored,  photo.validity};
}

class DatasetNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = make_spec();
    return spec;
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    return call_torch(job.context, [&] { return gather(job); });
  }

 private:
  static Expected<Outputs> gather(const Job& job) {
    const auto latents = Latents::from(job.input("latents"));
    if (!latents) return tl::unexpected(latents.error());
    const auto captions = CaptionSet::from(job.input("captions"));
    if (!captions) return tl::unexpected(captions.error());
    std::optional<MaskSet> masks;
    if (job.has("masks")) {
      auto read = MaskSet::from(job.input("masks"));
      if (!read) return tl::unexpected(read.error());
      masks = std::move(*read);
    }
    Dataset dataset{{},
                    {},
                    job.params.integer("repeats"),
                    job.params.number("share"),
                    job.params.boolean("customer"),
                    latents->text_settings};
    for (const auto& photo : latents->photos) {
      auto item = item_for(photo, masks, *captions, job);
      if (!item) return tl::unexpected(item.error());
      if (!latents->texts.empty()) {
        const auto text = latents->texts.find(item->caption);
        if (text == latents->texts.end())
          return failure(fmt::format("{}: its caption \"{}\" was not encoded; give `encode` these captions too",
                                     photo.name, item->caption));
        dataset.texts.emplace(*text);
      }
      dataset.items.push_back(std::move(*item));
    }
    const auto photos = static_cast<std::size_t>(std::ranges::count(dataset.items, false, &DatasetItem::mirrored));
    if (dataset.customer && photos < kFewPhotos)
      job.context.warn(fmt::format("only {} photo{} of the customer: {} or more make a likeness", photos,
                                   photos == 1 ? "" : "s", kFewPhotos));
    return Outputs{{"dataset", dataset.to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_dataset_node() { return std::make_unique<DatasetNode>(); }

}  // namespace atelier
