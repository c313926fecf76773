#include "image/align.h"

#include <fmt/format.h>
#include <cmath>
#include <optional>

#include "image/face_detector.h"
#include "image/pixels.h"
#include "image/rotation.h"
#include "types/images.h"

namespace atelier {
namespace {

NodeSpec align_spec() {
  NodeSpec spec;
  spec.name = "align";
  spec.summary =
      "Turns each photo, by quarter turns and then by the angle of the eye line, until the largest face is upright; "
      "the canvas keeps its size, the face its place, and pixels that the rotation invented are marked as invalid.";
  spec.version = 1;
  spec.keep = Keep::while_needed;
  spec.inputs = {{.name = "images", .type = "images", .summary = "Photos."}};
  spec.outputs = {{.name = "images", .type = "images", .summary = "The photos upright, with face box and landmarks."}};
  spec.params = {
      {.name = "angle_deg",
       .type = ValueType::number,
       .value = 0.0,
       .summary = "The direction that eye lines are brought to; positive is clockwise.",
       .unit = "degrees",
       .minimum = -180,
       .maximum = 180},
      {.name = "tolerance_deg",
       .type = ValueType::number,
       .value = 0.5,
       .summary = "A tilt below it is left as it is, so that the pixels stay untouched.",
       .unit = "degrees",
       .minimum = 0,
       .maximum = 45},
      {.name = "on_no_face",
       .type = ValueType::text,
       .value = "keep",
       .summary = "What becomes of a photo without a face: it is kept as it is, dropped, or fails the task.",
       .choices = {"keep", "drop", "fail"}},
  };
  return spec;
}

// A photo's largest face, and the quarter turns (clockwise) after which it was seen.
struct Sighting {
  int quarters = 0;
  Face face;
};

// The turn in which the detector is surest of the largest face, its eyes above the mouth.
std::optional<Sighting> best_sighting(const FaceDetector& detector, const cv::Mat& picture) {
  std::optional<Sighting> best;
  for (int quarters = 0; quarters < 4; ++quarters) {
    const auto faces = detector.faces_in(quarter_turned(picture, quarters));
    if (!faces.empty() && (!best || faces[0].score > best->face.score)) best = Sighting{quarters, faces[0]};
  }
  return best;
}

Point centre_of(const Box& box) { return {box.x + box.width / 2, box.y + box.height / 2}; }

// Landmarks of a tilted face are a little off; those seen once it stands nearly level are not. Empty where it is lost.
std::optional<Face> seen_again(const FaceDetector& detector, const cv::Mat& picture, const Face& expected) {
  const Point centre = centre_of(expected.box);
  for (const auto& face : detector.faces_in(picture)) {
    const Point at = centre_of(face.box);
    if (std::hypot(at.x - centre.x, at.y - centre.y) < 0.5 * face.box.width) return face;
  }
  return std::nullopt;
}

// The angle, clockwise, that brings the eye line to the horizontal, measured a second time after a first turn.
double levelling_degrees(const FaceDetector& detector, const cv::Mat& picture, const Face& face) {
  const Point centre = centre_of(face.box);
  const double first = -eye_line_degrees(face);
  const auto again = seen_again(detector, turned(picture, centre, first), turned(face, centre, first));
  return again ? first - eye_line_degrees(*again) : first;
}

class Align final : public SingleNode {
 public:
  Align(Files& files, std::filesystem::path models) : files_(files), models_(std::move(models)), spec_(align_spec()) {}
  const NodeSpec& spec() const override { return spec_; }
  Expected<Outputs> run_one(const Job& job, Device& device) const override;

 private:
  static Image aligned(const FaceDetector& detector, const Image& image, const Sighting& sighting,
                       const Params& params);

  Files& files_;
  std::filesystem::path models_;
  NodeSpec spec_;
};

Image Align::aligned(const FaceDetector& detector, const Image& image, const Sighting& sighting, const Params& params) {
  Image result = image;
  cv::Mat picture = quarter_turned(mat_of(image.pixels), sighting.quarters);
  cv::Mat valid = image.valid ? quarter_turned(mat_of(*image.valid), sighting.quarters) : cv::Mat();
  if (sighting.quarters % 2 == 1) std::swap(result.original_width, result.original_height);
  result.face = sighting.face;

  const double degrees = params.number("angle_deg") + levelling_degrees(detector, picture, sighting.face);
  if (std::abs(degrees) > params.number("tolerance_deg")) {
    const Point centre = centre_of(sighting.face.box);
    valid = turned_validity(valid, picture.size(), centre, degrees);
    picture = turned(picture, centre, degrees);
    result.face = turned(sighting.face, centre, degrees);
    if (const auto again = seen_again(detector, picture, *result.face)) {
      result.face = again;
      result.face->faces_found = sighting.face.faces_found;
    }
  }
  if (sighting.quarters != 0 || picture.data != mat_of(image.pixels).data) result.pixels = tensor_of(picture);
  if (!valid.empty()) result.valid = tensor_of(valid);
  return result;
}

Expected<Outputs> Align::run_one(const Job& job, Device& device) const {
  use_opencv_on_one_thread();
  const auto images = ImageSet::from(job.input("images"));
  if (!images) return tl::unexpected(images.error());
  const auto detector = FaceDetector::on(device, files_, models_);
  if (!detector) return tl::unexpected(detector.error());
  const std::string& on_no_face = job.params.text("on_no_face");
  ImageSet set;
  for (std::size_t i = 0; i < images->items.size(); ++i) {
    if (job.context.stop_requested()) return failure("align was asked to stop", ErrorKind::stopped);
    const Image& image = images->items[i];
    job.context.progress(static_cast<double>(i) / static_cast<double>(images->items.size()), image.name);
    const auto sighting = best_sighting(**detector, mat_of(image.pixels));
    if (!sighting && on_no_face == "fail")
      return failure(fmt::format("{}: no face was found, and on_no_face is fail", image.name));
    if (!sighting) {
      job.context.warn(fmt::format("{}: no face was found; {}", image.name,
                                   on_no_face == "drop" ? "the photo is left out" : "the photo is kept as it is"));
      if (on_no_face == "keep") set.items.push_back(image);
      continue;
    }
    if (sighting->face.faces_found > 1)
      job.context.warn(fmt::format("{}: {} faces; the largest one counts", image.name, sighting->face.faces_found));
    set.items.push_back(aligned(**detector, image, *sighting, job.params));
  }
  if (set.items.empty())
    return failure(fmt::format("no face was found in any of the photos ({} given)", images->items.size()));
  return Outputs{{"images", set.to_artifact()}};
}

}  // namespace

std::unique_ptr<const Node> make_align(Files& files, std::filesystem::path models) {
  return std::make_unique<Align>(files, std::move(models));
}

}  // namespace atelier
