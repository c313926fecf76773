#include "image/resize.h"

#include <fmt/format.h>
#include <algorithm>

#include "image/crop.h"
#include "image/pixels.h"
#include "types/images.h"

namespace atelier {
namespace {

constexpr double told_factor = 2.0;  // more than this much enlarged, a photo has nothing more to teach

NodeSpec resize_spec() {
  NodeSpec spec;
  spec.name = "resize";
  spec.summary = "Crops each picture to the wanted shape, around the face, and brings it to the wanted size.";
  spec.version = 1;
  spec.keep = Keep::while_needed;
  spec.inputs = {{.name = "images", .type = "images", .summary = "Pictures, best after align, which finds the faces."}};
  spec.outputs = {{.name = "images", .type = "images", .summary = "The pictures, all of one size."}};
  constexpr int least_px = 64, most_px = 4096;
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
  return spec;
}

cv::Size target_of(const Params& params) {
  if (!params.given("width")) {
    const int side = static_cast<int>(params.integer("size"));
    return {side, side};
  }
  return {static_cast<int>(params.integer("width")), static_cast<int>(params.integer("height"))};
}

cv::Rect crop_of(const Image& image, cv::Size target, const Params& params, Context& context) {
  const cv::Size picture(static_cast<int>(image.width()), static_cast<int>(image.height()));
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

class Resize final : public SingleNode {
 public:
  Resize() : spec_(resize_spec()) {}
  const NodeSpec& spec() const override { return spec_; }
  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    if (params.given("width") == params.given("height")) return {};
    return {"width and height are given together, or neither"};
  }
  Expected<Outputs> run_one(const Job& job, Device&) const override {
    use_opencv_on_one_thread();
    const auto images = ImageSet::from(job.input("images"));
    if (!images) return tl::unexpected(images.error());
    const cv::Size target = target_of(job.params);
    ImageSet set;
    for (const auto& image : images->items) {
      if (job.context.stop_requested()) return failure("resize was asked to stop", ErrorKind::stopped);
      const cv::Rect crop = crop_of(image, target, job.params, job.context);
      const double factor =
          std::max(static_cast<double>(target.width) / crop.width, static_cast<double>(target.height) / crop.height);
      if (factor > told_factor)
        job.context.warn(
            fmt::format("{}: enlarged {:.1f} times, from {} x {} to {} x {} pixels; a larger photo would "
                        "give a sharper model",
                        image.name, factor, crop.width, crop.height, target.width, target.height));
      set.items.push_back(resized(image, crop, target));
    }
    return Outputs{{"images", set.to_artifact()}};
  }

 private:
  NodeSpec spec_;
};

}  // namespace

std::unique_ptr<const Node> make_resize() { return std::make_unique<Resize>(); }

}  // namespace atelier
