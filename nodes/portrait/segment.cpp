#include "portrait/segment.h"

#include <fmt/format.h>
#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "image/person_segmenter.h"
#include "image/pixels.h"
#include "image/thumbnail.h"
#include "portrait/face_shape.h"
#include "portrait/guided_filter.h"
#include "types/images.h"
#include "types/masks.h"

namespace atelier {
namespace {

// A person is found when the network is sure of one over this much of the picture (it is half sure of half of a bare
// wall) and, where a face is known, the mask holds this much of it.
constexpr double sure = 0.9, least_sure_share = 0.01, least_person_in_face = 0.35;
constexpr double windows_per_side = 64;  // of the guided filter: one pixel of the network's 320 is 1.6 of 512
constexpr double sigma_of_feather = 0.25;
constexpr const char* shown_how = "the portrait in its own colours, the background blue, invented pixels black";

NodeSpec segment_spec() {
  NodeSpec spec;
  spec.name = "segment";
  spec.summary =
      "Makes soft masks of portrait and background. The person is found by a network and brought to the picture's "
      "edges; face and head are cut out of it by shapes drawn from the landmarks, so hair that falls over the "
      "shoulders counts as background under head: telling hair from clothing alone needs a face parser.";
  spec.version = 1;
  spec.inputs = {{.name = "images", .type = "images", .summary = "Pictures, best after align and resize."}};
  spec.outputs = {
      {.name = "portrait", .type = "masks", .summary = "The region, times validity."},
      {.name = "background", .type = "masks", .summary = "Validity less the region: the two add up exactly."},
      {.name = "whole", .type = "masks", .summary = "Validity alone: 1 wherever a pixel is the photo's own."},
  };
  spec.params = {
      {.name = "region",
       .type = ValueType::text,
       .value = "head",
       .summary = "What the portrait is: the face; the head with hair, ears and neck; or the whole person.",
       .choices = {"face", "head", "person"}},
      {.name = "feather_px",
       .type = ValueType::number,
       .value = 8.0,
       .summary = "Width of the zone in which the masks go over into each other.",
       .unit = "px",
       .minimum = 0,
       .maximum = 256},
  };
  return spec;
}

// The person at the picture's own size, CV_32FC1, along its edges.
cv::Mat person_mask(const cv::Mat& rgb, const PersonSegmenter& segmenter, double feather_px) {
  cv::Mat rough, grey, guide;
  cv::resize(segmenter.person_in(rgb), rough, rgb.size(), 0, 0, cv::INTER_LINEAR);
  cv::cvtColor(rgb, grey, cv::COLOR_RGB2GRAY);
  grey.convertTo(guide, CV_32F, 1.0 / 255);
  const int radius = std::max(2, cvRound(std::max(rgb.cols, rgb.rows) / windows_per_side));
  cv::Mat mask = refined(rough, guide, {.radius_px = radius});
  if (feather_px > 0) cv::GaussianBlur(mask, mask, {}, sigma_of_feather * feather_px, 0, cv::BORDER_REPLICATE);
  return mask;
}

bool person_found(const cv::Mat& person, const cv::Mat& face) {
  if (cv::countNonZero(person > sure) < least_sure_share * static_cast<double>(person.total())) return false;
  if (face.empty()) return true;
  const double area = cv::sum(face)[0];
  return area <= 0 || cv::sum(person.mul(face))[0] / area >= least_person_in_face;
}

class Segment final : public SingleNode {
 public:
  Segment(Files& files, std::filesystem::path models)
      : files_(files), models_(std::move(models)), spec_(segment_spec()) {}
  const NodeSpec& spec() const override { return spec_; }
  Needs needs(const Params&, const InputInfo&) const override { return {.memory_bytes = 300'000'000, .seconds = 2}; }
  Expected<Outputs> run_one(const Job& job, Device& device) const override;

 private:
  static cv::Mat region_of(const Image& image, const PersonSegmenter& segmenter, const Job& job);

  Files& files_;
  std::filesystem::path models_;
  NodeSpec spec_;
};

// The region before validity, CV_32FC1; what had to be guessed is told.
cv::Mat Segment::region_of(const Image& image, const PersonSegmenter& segmenter, const Job& job) {
  const cv::Mat rgb = mat_of(image.pixels);
  const double feather = job.params.number("feather_px");
  const std::string& region = job.params.text("region");
  const cv::Mat face = image.face ? face_shape(rgb.size(), *image.face, feather) : cv::Mat();
  const cv::Mat person = person_mask(rgb, segmenter, feather);
  if (!person_found(person, face)) {
    job.context.warn(fmt::format("{}: no person was found{}", image.name,
                                 face.empty() ? ", nor a face; the whole picture counts as background"
                                              : "; an ellipse around the face counts as the portrait"));
    return face.empty() ? cv::Mat(rgb.size(), CV_32FC1, cv::Scalar(0)) : face;
  }
  if (region == "person") return person;
  if (face.empty()) {
    job.context.warn(fmt::format("{}: no face is known; the whole person counts as the portrait", image.name));
    return person;
  }
  if (region == "face") return person.mul(face);
  // The network is unsure inside faces it sees from close by; the face itself is not in doubt.
  return cv::max(person, face).mul(head_shape(rgb.size(), *image.face, feather));
}

struct Split {
  Tensor portrait, background, whole;
};

// portrait = region * validity, background = validity - portrait, exactly, in steps of 1/255.
Split split(const cv::Mat& region, const Image& image) {
  const auto pixels = static_cast<std::size_t>(image.height() * image.width());
  std::vector<std::uint8_t> portrait(pixels), background(pixels), whole(pixels, 255);
  if (image.valid) {
    const auto valid = image.valid->values<std::uint8_t>();
    whole.assign(valid.begin(), valid.end());
  }
  for (std::size_t i = 0; i < pixels; ++i) {
    const float share = region.at<float>(static_cast<int>(i) / region.cols, static_cast<int>(i) % region.cols);
    portrait[i] = static_cast<std::uint8_t>(cvRound(share * static_cast<float>(whole[i])));
    background[i] = static_cast<std::uint8_t>(whole[i] - portrait[i]);
  }
  const Tensor::Shape shape{image.height(), image.width()};
  return {Tensor::of(shape, std::move(portrait)), Tensor::of(shape, std::move(background)),
          Tensor::of(shape, std::move(whole))};
}

Expected<Outputs> Segment::run_one(const Job& job, Device& device) const {
  use_opencv_on_one_thread();
  const auto images = ImageSet::from(job.input("images"));
  if (!images) return tl::unexpected(images.error());
  const auto segmenter = PersonSegmenter::on(device, files_, models_);
  if (!segmenter) return tl::unexpected(segmenter.error());
  MaskSet portrait, background, whole;
  for (std::size_t i = 0; i < images->items.size(); ++i) {
    if (job.context.stop_requested()) return failure("segment was asked to stop", ErrorKind::stopped);
    const Image& image = images->items[i];
    job.context.progress(static_cast<double>(i) / static_cast<double>(images->items.size()), image.name);
    auto masks = split(region_of(image, **segmenter, job), image);
    if (i < most_photos_shown)
      show_photo(job.context, image.name, {"mask", shown_how},
                 under_mask(mat_of(image.pixels), mat_of(masks.portrait), mat_of(masks.whole)));
    portrait.items.push_back({image.name, std::move(masks.portrait)});
    background.items.push_back({image.name, std::move(masks.background)});
    whole.items.push_back({image.name, std::move(masks.whole)});
  }
  return Outputs{
      {"portrait", portrait.to_artifact()}, {"background", background.to_artifact()}, {"whole", whole.to_artifact()}};
}

}  // namespace

std::unique_ptr<const Node> make_segment(Files& files, std::filesystem::path models) {
  return std::make_unique<Segment>(files, std::move(models));
}

}  // namespace atelier
