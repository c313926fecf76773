#include "portrait/caption.h"

#include <fmt/format.h>
#include <algorithm>

#include "image/pixels.h"
#include "portrait/caption_text.h"
#include "portrait/image_tags.h"
#include "types/captions.h"
#include "types/images.h"

namespace atelier {
namespace {

NodeSpec caption_spec() {
  NodeSpec spec;
  spec.name = "caption";
  spec.summary =
      "Takes the .txt beside the photo as its caption; otherwise tags what can be measured: number of people, framing, "
      "facing, brightness, background.";
  spec.version = 1;
  spec.inputs = {{.name = "images", .type = "images", .summary = "Pictures, best after align and resize."}};
  spec.outputs = {{.name = "captions", .type = "captions", .summary = "One caption for each picture."}};
  spec.params = {
      {.name = "prefix", .type = ValueType::text, .value = "", .summary = "Put before every caption, with a comma."},
      {.name = "suffix", .type = ValueType::text, .value = "", .summary = "Put after every caption, with a comma."},
      {.name = "drop",
       .type = ValueType::list,
       .value = Value::List{},
       .summary = "Tags removed from captions that are lists of tags; sentences are left as they are.",
       .element = ValueType::text},
  };
  return spec;
}

// The caption without the tags to drop, compared word by word; sentences come back unchanged.
std::string without_tags(const std::string& caption, const std::vector<std::string>& drop) {
  if (drop.empty() || !is_tag_list(caption)) return caption;
  const auto same = [](const std::string& a, const std::string& b) {
    return std::ranges::equal(words_of(a), words_of(b), {}, &Word::text, &Word::text);
  };
  std::vector<std::string> kept;
  for (const auto& part : parts_of(caption))
    if (std::ranges::none_of(drop, [&](const std::string& tag) { return same(part, tag); })) kept.push_back(part);
  return joined(kept);
}

class CaptionNode final : public SingleNode {
 public:
  CaptionNode() : spec_(caption_spec()) {}
  const NodeSpec& spec() const override { return spec_; }
  Expected<Outputs> run_one(const Job& job, Device&) const override {
    use_opencv_on_one_thread();
    const auto images = ImageSet::from(job.input("images"));
    if (!images) return tl::unexpected(images.error());
    const auto drop = job.params.texts("drop");
    CaptionSet set;
    for (const auto& image : images->items) {
      const std::string own = without_tags(image.text ? *image.text : joined(tags_of(image)), drop);
      std::vector<std::string> parts;
      for (const auto& part : {job.params.text("prefix"), own, job.params.text("suffix")})
        if (!part.empty()) parts.push_back(part);
      set.items.push_back({image.name, joined(parts)});
      if (set.items.back().text.empty())
        job.context.warn(fmt::format("{}: the caption is empty; a .txt beside the photo would give one", image.name));
    }
    return Outputs{{"captions", set.to_artifact()}};
  }

 private:
  NodeSpec spec_;
};

}  // namespace

std::unique_ptr<const Node> make_caption() { return std::make_unique<CaptionNode>(); }

}  // namespace atelier
