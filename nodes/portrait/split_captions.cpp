#include "portrait/split_captions.h"

#include <fmt/format.h>
#include <optional>

#include "image/pixels.h"
#include "portrait/region_colours.h"
#include "portrait/split_text.h"
#include "types/captions.h"
#include "types/images.h"
#include "types/masks.h"

namespace atelier {
namespace {

NodeSpec split_spec(const WordRules& rules) {
  NodeSpec spec;
  spec.name = "split_captions";
  spec.summary =
      "Splits each caption into the words that speak of the portrait and those that speak of the background, by the "
      "rules of pipelines/captions/portrait-words.yaml; NAME.portrait.txt and NAME.background.txt beside the photo "
      "win. "
      "Then the trigger is put first in all three, unless they hold it.";
  spec.version = 1;
  spec.inputs = {
      {.name = "captions", .type = "captions", .summary = "Whole captions, one for each image."},
      {.name = "images", .type = "images", .summary = "The images they belong to."},
      {.name = "masks", .type = "masks", .summary = "Portrait masks; mode: region needs them.", .required = false}};
  spec.outputs = {{.name = "whole", .type = "captions", .summary = "The captions with the trigger."},
                  {.name = "portrait", .type = "captions", .summary = "Portrait words with the trigger."},
                  {.name = "background", .type = "captions", .summary = "Background words with the trigger."}};
  spec.params = {
      {.name = "trigger",
       .type = ValueType::text,
       .value = "",
       .summary = "The word that stands for the customer; empty: none."},
      {.name = "region",
       .type = ValueType::text,
       .value = "head",
       .summary = "What the portrait is, as in segment: under head, clothing belongs to the background.",
       .choices = {"face", "head", "person"}},
      {.name = "mode",
       .type = ValueType::text,
       .value = "words",
       .summary = "words: the rules decide; region: tags about colour and light go where the masked pixels show them, "
                  "the rules decide the rest; off: both sides keep the whole caption.",
       .choices = {"words", "region", "off"}},
      {.name = "unknown",
       .type = ValueType::text,
       .value = "both",
       .summary = "Where words go that no rule knows.",
       .choices = {"portrait", "background", "both"}},
      {.name = "portrait_words",
       .type = ValueType::list,
       .value = Value::List{},
       .summary = "Words or phrases that belong to the portrait, whatever the rules say.",
       .element = ValueType::text},
      {.name = "background_words",
       .type = ValueType::list,
       .value = Value::List{},
       .summary = "Words or phrases that belong to the background, whatever the rules say.",
       .element = ValueType::text},
      {.name = "rules_digest",
       .type = ValueType::text,
       .value = rules.digest().hex(),
       .summary = "Digest of the rules that this program was started with; not to be set.",
       .choices = {rules.digest().hex()}},
  };
  return spec;
}

std::string with_trigger(const std::string& caption, const std::string& trigger) {
  if (trigger.empty() || holds_words(caption, trigger)) return caption;
  return caption.empty() ? trigger : trigger + ", " + caption;
}

Side unknown_side(const std::string& name) {
  return name == "portrait" ? Side::portrait : name == "background" ? Side::background : Side::both;
}

class SplitCaptions final : public SingleNode {
 public:
  explicit SplitCaptions(WordRules rules) : rules_(std::move(rules)), spec_(split_spec(rules_)) {}
  const NodeSpec& spec() const override { return spec_; }
  std::vector<std::string> check(const Params& params,
                                 const std::map<std::string, std::size_t>& list_sizes) const override {
    if (params.text("mode") != "region" || list_sizes.contains("masks")) return {};
    return {"mode is region, which needs something connected to the port 'masks'"};
  }
  Expected<Outputs> run_one(const Job& job, Device& device) const override;

 private:
  WordRules rules_;
  NodeSpec spec_;
};

// What the node was given, item by item.
struct Given {
  CaptionSet captions;
  ImageSet images;
  std::optional<MaskSet> masks;
};

Expected<Given> given_to(const Job& job) {
  auto captions = CaptionSet::from(job.input("captions"));
  if (!captions) return tl::unexpected(captions.error());
  auto images = ImageSet::from(job.input("images"));
  if (!images) return tl::unexpected(images.error());
  Given given{std::move(*captions), std::move(*images), std::nullopt};
  if (job.has("masks")) {
    auto masks = MaskSet::from(job.input("masks"));
    if (!masks) return tl::unexpected(masks.error());
    given.masks = std::move(*masks);
  }
  for (std::size_t i = 0; i < std::max(given.captions.items.size(), given.images.items.size()); ++i) {
    const bool both = i < given.captions.items.size() && i < given.images.items.size();
    const bool mask_fits = !given.masks || (i < given.masks->items.size() && both &&
                                            given.masks->items[i].name == given.images.items[i].name &&
                                            given.masks->items[i].width() == given.images.items[i].width() &&
                                            given.masks->items[i].height() == given.images.items[i].height());
    if (!both || given.captions.items[i].name != given.images.items[i].name || !mask_fits)
      return failure("captions, images and masks of split_captions must come from the same pictures");
  }
  return given;
}

PartColours colours_under(const Image& image, const Mask& mask) {
  const cv::Mat rgb = mat_of(image.pixels), portrait = mat_of(mask.mask);
  const cv::Mat valid = image.valid ? mat_of(*image.valid) : cv::Mat(rgb.size(), CV_8UC1, cv::Scalar(255));
  return {colours_of(rgb, portrait), colours_of(rgb, valid - portrait)};
}

Expected<Outputs> SplitCaptions::run_one(const Job& job, Device&) const {
  use_opencv_on_one_thread();
  const auto given = given_to(job);
  if (!given) return tl::unexpected(given.error());
  const WordRules rules = rules_.with(job.params.texts("portrait_words"), Belongs::face)
                              .with(job.params.texts("background_words"), Belongs::background);
  const Region region = region_named(job.params.text("region"));
  const Side unknown = unknown_side(job.params.text("unknown"));
  const std::string& trigger = job.params.text("trigger");
  const bool by_pixels = job.params.text("mode") == "region", split_off = job.params.text("mode") == "off";
  if (by_pixels && !given->masks) return failure("mode is region, which needs something connected to the port 'masks'");

  CaptionSet whole, portrait, background;
  for (std::size_t i = 0; i < given->images.items.size(); ++i) {
    const Image& image = given->images.items[i];
    const std::string& caption = given->captions.items[i].text;
    std::optional<PartColours> colours;
    if (by_pixels) colours = colours_under(image, given->masks->items[i]);
    const auto decide = [&](std::string_view chunk) {
      Side side = colours ? side_by_pixels(chunk, *colours) : Side::unknown;
      if (side == Side::unknown) side = side_of(chunk, rules, region);
      return side == Side::unknown ? unknown : side;
    };
    const std::string words = without_words(caption, trigger);
    const auto split = split_off ? SplitCaption{words, words} : split_caption(words, rules, decide);
    whole.items.push_back({image.name, with_trigger(caption, trigger)});
    portrait.items.push_back({image.name, with_trigger(image.portrait_text.value_or(split.portrait), trigger)});
    background.items.push_back({image.name, with_trigger(image.background_text.value_or(split.background), trigger)});
  }
  return Outputs{
      {"whole", whole.to_artifact()}, {"portrait", portrait.to_artifact()}, {"background", background.to_artifact()}};
}

}  // namespace

std::unique_ptr<const Node> make_split_captions(WordRules rules) {
  return std::make_unique<SplitCaptions>(std::move(rules));
}

}  // namespace atelier
