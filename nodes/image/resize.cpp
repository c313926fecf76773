#include "image/resize.h"

#include <fmt/format.h>
#include <algorithm>

#include "image/buckets.h"
#include "image/crop.h"
#include "image/mirror.h"
#include "image/pixels.h"
#include "types/images.h"

namespace atelier {
namespace {

constexpr double told_factor = 2.0;  // more than this much enlarged, a photo has nothing more to teach

constexpr int least_px = 64, most_px = 4096;
constexpr int least_step_px = 8;  // a latent's

std::vector<ParamSpec> bucket_params() {
  return {{.name = "buckets",
           .type = ValueType::boolean,
           .value = false,
           .summary = "Keeps about the shape of each picture: it gets the size nearest in shape among those that have "
                      "no more pixels than size, as kohya's tools choose it."},
          {.name = "bucket_min_px",
           .type = ValueType::integer,
           .summary = "The least side of a bucket; absent: half the shorter side of size.",
           .unit = "px",
           .minimum = least_px,
           .maximum = most_px},
          {.name = "bucket_max_px",
           .type = ValueType::integer,
           .summary = "The longest side of a bucket; absent: twice the longer side of size.",
           .unit = "px",
           .minimum = least_px,
           .maximum = 2 * most_px},
          {.name = "bucket_step_px",
           .type = ValueType::integer,
           .value = 64,
           .summary = "Sides of buckets are multiples of it; the base must take them.",
           .unit = "px",
           .minimum = least_step_px,
           .maximum = least_px * 2},
          {.name = "bucket_no_upscale",
           .type = ValueType::boolean,
           .value = false,
           .summary = "Enlarges no picture: a smaller one gets a bucket of its own size."}};
}

NodeSpec resize_spec() {
  NodeSpec spec;
  spec.name = "resize";
  spec.summary = "Crops each picture to the wanted shape, around the face, and brings it to the wanted size.";
  spec.version = 2;
  spec.keep = Keep::while_needed;
  spec.inputs = {{.name = "images", .type = "images", .summary = "Pictures, best after align, which finds the faces."}};
  spec.outputs = {{.name = "images",
                   .type = "images",
                   .summary = "The pictures, all of one size, or with buckets of a few sizes."}};
  spec.params = {
      {.name = "size",
       .type = ValueType::integer,
       .value = 512,
       .summary = "Width and height of a square.",
       .unit = "px",
       .minimum = least_px,
       .maximum = most_px},
      {.name = "width",
       .type = ValueType::integer,
       .summary = "Width in place of size; needs height too.",
       .unit = "px",
       .minimum = least_px,
       .maximum = most_px},
      {.name = "height",
       .type = ValueType::integer,
       .summary = "Height in place of size; needs width too.",
       .unit = "px",
       .minimum = least_px,
       .maximum = most_px},
      {.name = "around",
       .type = ValueType::text,
       .value = "person",
       .summary = "person: as much as the photo holds, the face no smaller than face_ratio; face: the face exactly "
                  "face_ratio, beyond the photo's edges reflected and invalid; middle: the largest part in the middle.",
       .choices = {"person", "face", "middle"}},
      {.name = "face_ratio",
       .type = ValueType::number,
       .value = 0.25,
       .summary = "Height of the face, forehead to chin, as a share of the picture's height.",
       .minimum = 0.05,
       .maximum = 1},
  };
  const auto buckets = bucket_params();
  spec.params.insert(spec.params.end(), buckets.begin(), buckets.end());
  spec.params.push_back({.name = "flip",
                         .type = ValueType::boolean,
                         .value = false,
                         .summary = "Adds a mirrored copy of each picture, face and validity alike. Off: faces are not "
                                    "symmetric, and a likeness suffers."});
  return spec;
}

cv::Size target_of(const Params& params) {
  if (!params.given("width")) {
    const int side = static_cast<int>(params.integer("size"));
    return {side, side};
  }
  return {static_cast<int>(params.integer("width")), static_cast<int>(params.integer("height"))};
}

BucketRules rules_of(const Params& params) {
  const cv::Size size = target_of(params);
  const auto given_or = [&](const char* name, int otherwise) {
    return params.given(name) ? static_cast<int>(params.integer(name)) : otherwise;
  };
  return {size, given_or("bucket_min_px", std::min(size.width, size.height) / 2),
          given_or("bucket_max_px", std::max(size.width, size.height) * 2),
          static_cast<int>(params.integer("bucket_step_px")), params.boolean("bucket_no_upscale")};
}

cv::Size size_of(const Image& image) { return {static_cast<int>(image.width()), static_cast<int>(image.height())}; }

cv::Rect crop_of(const Image& image, cv::Size target, const Params& params, Context& context) {
  const cv::Size picture = size_of(image);
  const std::string& around = params.text("around");
  if (around == "middle") return crop_of_middle(picture, target);
  if (image.face) {
    const double ratio = params.number("face_ratio");
    return around == "face" ? crop_of_face(target, *image.face, ratio)
                            : crop_of_person(picture, target, *image.face, ratio);
  }
  context.warn(fmt::format("{}: no face is known; the middle of the picture is taken", image.name));
  return crop_of_middle(picture, target);
}

Image resized(const Image& image, cv::Rect crop, cv::Size target) {
  const cv::Mat picture = mat_of(image.pixels);
  Image result = image;
  result.pixels = tensor_of(cropped(picture, crop, target));
  const cv::Mat valid = cropped_validity(image.valid ? mat_of(*image.valid) : cv::Mat(), picture.size(), crop, target);
  result.valid.reset();
  if (!valid.empty()) result.valid = tensor_of(valid);
  if (image.face) result.face = cropped(*image.face, crop, target);
  const double sx = static_cast<double>(target.width) / crop.width;
  const double sy = static_cast<double>(target.height) / crop.height;
  result.crop_left = cvRound((static_cast<double>(image.crop_left) + crop.x) * sx);
  result.crop_top = cvRound((static_cast<double>(image.crop_top) + crop.y) * sy);
  return result;
}

void tell_enlarged(const Image& image, cv::Rect crop, cv::Size target, Context& context) {
  const double factor =
      std::max(static_cast<double>(target.width) / crop.width, static_cast<double>(target.height) / crop.height);
  if (factor <= told_factor) return;
  context.warn(
      fmt::format("{}: enlarged {:.1f} times, from {} x {} to {} x {} pixels; a larger photo would give a "
                  "sharper model",
                  image.name, factor, crop.width, crop.height, target.width, target.height));
}

std::vector<std::string> bucket_mistakes(const Params& params) {
  if (!params.boolean("buckets")) return {};
  const BucketRules rules = rules_of(params);
  const int longest = std::max(rules.size.width, rules.size.height);
  std::vector<std::string> mistakes;
  if (rules.most_px < longest)
    mistakes.push_back(fmt::format("bucket_max_px is {}, less than the {} px of the size", rules.most_px, longest));
  if (rules.least_px > std::min(rules.size.width, rules.size.height))
    mistakes.push_back(fmt::format("bucket_min_px is {}, more than the {} px of the size", rules.least_px,
                                   std::min(rules.size.width, rules.size.height)));
  if (rules.no_upscale && params.text("around") == "face")
    mistakes.emplace_back("bucket_no_upscale goes with around: person or middle; around: face enlarges small faces");
  return mistakes;
}

class Resize final : public SingleNode {
 public:
  Resize() : spec_(resize_spec()) {}
  const NodeSpec& spec() const override { return spec_; }
  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    if (params.given("width") == params.given("height")) return bucket_mistakes(params);
    return {"width and height are given together, or neither"};
  }
  Expected<Outputs> run_one(const Job& job, Device&) const override {
    use_opencv_on_one_thread();
    const auto images = ImageSet::from(job.input("images"));
    if (!images) return tl::unexpected(images.error());
    ImageSet set;
    for (const auto& image : images->items) {
      if (job.context.stop_requested()) return failure("resize was asked to stop", ErrorKind::stopped);
      if (auto added = add(image, job, *images, set); !added) return tl::unexpected(added.error());
    }
    return Outputs{{"images", set.to_artifact()}};
  }

 private:
  static Expected<void> add(const Image& image, const Job& job, const ImageSet& all, ImageSet& set) {
    const BucketRules rules = rules_of(job.params);
    const bool buckets = job.params.boolean("buckets");
    const cv::Size target = buckets ? bucket_for(size_of(image), rules) : rules.size;
    cv::Rect crop = crop_of(image, target, job.params, job.context);
    if (buckets && rules.no_upscale) crop = at_least(crop, target, size_of(image));
    tell_enlarged(image, crop, target, job.context);
    set.items.push_back(resized(image, crop, target));
    if (!job.params.boolean("flip")) return {};
    const double scale = static_cast<double>(target.width) / crop.width;
    Image copy = mirrored(set.items.back(), cvRound(static_cast<double>(image.width()) * scale));
    if (std::ranges::find(all.items, copy.name, &Image::name) != all.items.end())
      return failure(
          fmt::format("{}: the mirrored copy of {} would have this name; rename the photo", copy.name, image.name));
    set.items.push_back(std::move(copy));
    return {};
  }

  NodeSpec spec_;
};

}  // namespace

std::unique_ptr<const Node> make_resize() { return std::make_unique<Resize>(); }

}  // namespace atelier
