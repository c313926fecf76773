#include "image/load.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <map>
#include <opencv2/imgproc.hpp>

#include "image/decode.h"
#include "image/pixels.h"
#include "types/images.h"
#include "types/photos.h"
#include "types/utf8.h"

namespace atelier {
namespace {

constexpr int smallest_side_px = 64;                  // below it a face has too few pixels to learn from
constexpr std::size_t longest_caption_bytes = 65536;  // a hundred times what a text encoder reads of one

NodeSpec load_spec() {
  NodeSpec spec;
  spec.name = "load";
  spec.summary =
      "Reads JPEG, PNG and WebP photos, upright, in the order of their names, with the captions beside them. Of "
      "kohya's "
      "folders (10_sks person) it takes repeats and caption.";
  spec.version = 2;  // 2: captions beyond 64 KB are not used
  spec.keep = Keep::while_needed;
  spec.inputs = {{.name = "photos", .type = "photos", .summary = "A folder of photos."}};
  spec.outputs = {{.name = "images", .type = "images", .summary = "The photos that could be read, as RGB."}};
  spec.params = {
      {.name = "max_megapixels",
       .type = ValueType::integer,
       .value = 100,
       .summary = "Photos of more pixels are left out unread, with a warning.",
       .unit = "million pixels",
       .minimum = 1,
       .maximum = 1000},
      {.name = "max_side_px",
       .type = ValueType::integer,
       .value = 3072,
       .summary = "Photos with a longer side are shrunk to it at once; 0 keeps every pixel.",
       .unit = "px",
       .minimum = 0,
       .maximum = 65536},
  };
  return spec;
}

class Load final : public SingleNode {
 public:
  explicit Load(Files& files) : files_(files), spec_(load_spec()) {}
  const NodeSpec& spec() const override { return spec_; }
  Expected<Outputs> run_one(const Job& job, Device& device) const override;

 private:
  Expected<std::shared_ptr<const FileBytes>> read(const FileRef& file) const;
  Expected<std::optional<std::string>> read_caption(const std::optional<FileRef>& file, Context& context) const;
  Expected<Image> decode(const Photo& photo, const FileBytes& bytes, const Params& params) const;
  Expected<void> add_captions(Image& image, const Photo& photo, Context& context) const;

  Files& files_;
  NodeSpec spec_;
};

void shrink(Decoded& decoded, std::int64_t max_side_px) {
  const int longest = std::max(decoded.rgb.cols, decoded.rgb.rows);
  if (max_side_px == 0 || longest <= max_side_px) return;
  const double factor = static_cast<double>(max_side_px) / longest;
  const cv::Size size(std::max(1, cvRound(decoded.rgb.cols * factor)), std::max(1, cvRound(decoded.rgb.rows * factor)));
  cv::Mat rgb, alpha;
  cv::resize(decoded.rgb, rgb, size, 0, 0, cv::INTER_AREA);
  if (!decoded.alpha.empty()) cv::resize(decoded.alpha, alpha, size, 0, 0, cv::INTER_AREA);
  decoded = {rgb, alpha};
}

// A file that cannot be read ends the task: what is left out must follow from the photos' bytes alone, as the key does.
// The file's bytes, which must still be those the task's key was made from.
Expected<std::shared_ptr<const FileBytes>> Load::read(const FileRef& file) const {
  auto bytes = files_.read(file.path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (sha256((*bytes)->bytes()) == file.digest) return bytes;
  return failure(fmt::format("{} was changed after the run began; start the run again", file.path.string()));
}

Expected<std::optional<std::string>> Load::read_caption(const std::optional<FileRef>& file, Context& context) const {
  if (!file) return std::nullopt;
  auto bytes = read(*file);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto data = (*bytes)->bytes();
  if (data.size() > longest_caption_bytes) {
    context.warn(fmt::format("{}: this caption is not used: it has {} bytes; expected at most {}", file->name,
                             data.size(), longest_caption_bytes));
    return std::nullopt;
  }
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  if (is_utf8(text)) return as_one_line(text);
  context.warn(fmt::format("{}: this caption is not used: it is not UTF-8 text", file->name));
  return std::nullopt;
}

// An error says why the photo is left out.
Expected<Image> Load::decode(const Photo& photo, const FileBytes& bytes, const Params& params) const {
  auto decoded = decode_photo(bytes.bytes(), {params.integer("max_megapixels") * 1'000'000});
  if (!decoded) return tl::unexpected(decoded.error());
  const int width = decoded->rgb.cols, height = decoded->rgb.rows;
  if (std::min(width, height) < smallest_side_px)
    return failure(fmt::format("{} x {} pixels; both sides must have at least {}", width, height, smallest_side_px));
  shrink(*decoded, params.integer("max_side_px"));
  Image image;
  image.name = photo.image.name;
  image.photo = photo.image.digest;
  image.pixels = tensor_of(decoded->rgb);
  if (!decoded->alpha.empty()) image.valid = tensor_of(decoded->alpha);
  image.original_width = width;
  image.original_height = height;
  if (photo.folder) image.repeats = photo.folder->repeats;
  return image;
}

Expected<void> Load::add_captions(Image& image, const Photo& photo, Context& context) const {
  for (const auto& [file, text] : {std::pair{&photo.text, &image.text},
                                   {&photo.portrait_text, &image.portrait_text},
                                   {&photo.background_text, &image.background_text}}) {
    auto caption = read_caption(*file, context);
    if (!caption) return tl::unexpected(caption.error());
    *text = std::move(*caption);
  }
  if (!image.text && photo.folder) image.text = photo.folder->caption;
  return {};
}

// Repeats and captions that come from a folder's name are told: nobody should train ten times as long unawares.
void tell_folders(const PhotoSet& photos, Context& context) {
  std::map<std::string, std::size_t> counts;
  std::map<std::string, PhotoFolder> folders;
  for (const auto& photo : photos.items) {
    if (!photo.folder) continue;
    const auto name = name_of(*photo.folder);
    folders[name] = *photo.folder;
    ++counts[name];
  }
  for (const auto& [name, folder] : folders)
    context.warn(fmt::format("folder '{}': {} photo{}, {} time{} in a round, captioned \"{}\" where there is no .txt",
                             name, counts[name], counts[name] == 1 ? "" : "s", folder.repeats,
                             folder.repeats == 1 ? "" : "s", folder.caption));
}

Expected<Outputs> Load::run_one(const Job& job, Device&) const {
  use_opencv_on_one_thread();
  const auto photos = PhotoSet::from(job.input("photos"));
  if (!photos) return tl::unexpected(photos.error());
  tell_folders(*photos, job.context);
  ImageSet set;
  std::vector<std::string> left_out;
  for (const auto& photo : photos->items) {
    if (job.context.stop_requested()) return failure("load was asked to stop", ErrorKind::stopped);
    auto bytes = read(photo.image);
    if (!bytes) return tl::unexpected(bytes.error());
    auto image = decode(photo, **bytes, job.params);
    if (!image) {
      left_out.push_back(fmt::format("{}: left out: {}", photo.image.name, image.error().message));
      job.context.warn(left_out.back());
      continue;
    }
    if (auto added = add_captions(*image, photo, job.context); !added) return tl::unexpected(added.error());
    set.items.push_back(std::move(*image));
    job.context.progress(static_cast<double>(set.items.size()) / static_cast<double>(photos->items.size()),
                         photo.image.name);
  }
  if (set.items.empty())
    return failure(
        fmt::format("none of the photos can be used ({} given): {}", left_out.size(), fmt::join(left_out, "; ")));
  return Outputs{{"images", set.to_artifact()}};
}

}  // namespace

std::unique_ptr<const Node> make_load(Files& files) { return std::make_unique<Load>(files); }

}  // namespace atelier
