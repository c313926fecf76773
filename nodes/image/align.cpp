#include "image/align.h"

#include <fmt/format.h>
#include <cmath>
#include <optional>

#include "image/pixels.h"
#include "image/rotation.h"
#include "image/thumbnail.h"
#include "image/upright_face.h"
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

struct Networks {
  const FaceDetector& faces;
  const PersonSegmenter& person;
};

Face moved(const Face& face, Point from, Point to) {
  Face result = face;
  for (auto& p : result.landmarks) p = {p.x - from.x + to.x, p.y - from.y + to.y};
  result.box.x += to.x - from.x;
  result.box.y += to.y - from.y;
  return result;
}

// The photo turned by quarter turns, which lose nothing, and then by what is left, where it exceeds the tolerance.
Image aligned(const Image& image, const UprightFace& found, const Params& params) {
  const double turn = found.turn_degrees + params.number("angle_deg");
  const int quarters = (static_cast<int>(std::lround(turn / 90)) % 4 + 4) % 4;
  const double rest = std::remainder(turn - 90.0 * quarters, 360.0);
  const cv::Mat original = mat_of(image.pixels);
  const Point centre = quarter_turned(found.centre, original.size(), quarters);

  Image result = image;
  cv::Mat picture = quarter_turned(original, quarters);
  cv::Mat valid = image.valid ? quarter_turned(mat_of(*image.valid), quarters) : cv::Mat();
  if (quarters % 2 == 1) std::swap(result.original_width, result.original_height);
  const bool turns = std::abs(rest) > params.number("tolerance_deg");
  if (turns) {
    valid = turned_validity(valid, picture.size(), centre, rest);
    picture = turned(picture, centre, rest);
  }
  // Known in the picture turned by found.turn_degrees about the face, which stays where it is.
  const double done = 90.0 * quarters + (turns ? rest : 0.0);
  result.face = turned(moved(found.face, found.centre, centre), centre, done - found.turn_degrees);
  if (picture.data != original.data) result.pixels = tensor_of(picture);
  if (!valid.empty()) result.valid = tensor_of(valid);
  return result;
}

class Align final : public SingleNode {
 public:
  Align(Files& files, std::filesystem::path models) : files_(files), models_(std::move(models)), spec_(align_spec()) {}
  const NodeSpec& spec() const override { return spec_; }
  Needs needs(const Params&, const InputInfo& info) const override {
    constexpr std::uint64_t networks_and_copies = 200'000'000;
    const auto found = info.size_bytes.find("images");
    return {.memory_bytes = networks_and_copies + 2 * (found == info.size_bytes.end() ? 0 : found->second),
            .seconds = 3};
  }
  Expected<Outputs> run_one(const Job& job, Device& device) const override;

 private:
  Expected<std::optional<Image>> align(const Image& image, const Job& job, const Networks& networks) const;

  Files& files_;
  std::filesystem::path models_;
  NodeSpec spec_;
};

// Empty where the photo is dropped.
Expected<std::optional<Image>> Align::align(const Image& image, const Job& job, const Networks& networks) const {
  const auto found = find_upright_face(mat_of(image.pixels), networks.faces, networks.person);
  if (found) {
    if (found->face.faces_found > 1)
      job.context.warn(fmt::format("{}: {} faces; the largest one counts", image.name, found->face.faces_found));
    return aligned(image, *found, job.params);
  }
  const std::string& on_no_face = job.params.text("on_no_face");
  if (on_no_face == "fail") return failure(fmt::format("{}: no face was found, and on_no_face is fail", image.name));
  const bool dropped = on_no_face == "drop";
  job.context.warn(
      fmt::format("{}: no face was found; the photo is {}", image.name, dropped ? "left out" : "kept as it is"));
  return dropped ? std::nullopt : std::optional(image);
}

Expected<Outputs> Align::run_one(const Job& job, Device& device) const {
  use_opencv_on_one_thread();
  const auto images = ImageSet::from(job.input("images"));
  if (!images) return tl::unexpected(images.error());
  const auto faces = FaceDetector::on(device, files_, models_);
  if (!faces) return tl::unexpected(faces.error());
  const auto person = PersonSegmenter::on(device, files_, models_);
  if (!person) return tl::unexpected(person.error());
  ImageSet set;
  for (std::size_t i = 0; i < images->items.size(); ++i) {
    if (job.context.stop_requested()) return failure("align was asked to stop", ErrorKind::stopped);
    const Image& image = images->items[i];
    job.context.progress(static_cast<double>(i) / static_cast<double>(images->items.size()), image.name);
    auto aligned_image = align(image, job, {**faces, **person});
    if (!aligned_image) return tl::unexpected(aligned_image.error());
    if (i < most_photos_shown) show_photo(job.context, image.name, {"before"}, mat_of(image.pixels));
    if (!*aligned_image) continue;
    if (i < most_photos_shown) show_photo(job.context, image.name, {"aligned"}, mat_of((*aligned_image)->pixels));
    set.items.push_back(std::move(**aligned_image));
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
