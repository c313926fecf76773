#include "render/caption.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "render/draws.h"

namespace atelier::render {
namespace {

// What can be said, each as one phrase.
std::string style_phrase(Style style) {
  constexpr std::array<std::string_view, Words<Style>::list.size()> phrases{"photo", "ink drawing",
                                                                            "poster illustration", "oil painting"};
  return std::string(phrases[static_cast<std::size_t>(style)]);
}

std::string skin_phrase(Skin skin) { return fmt::format("{} skin", word_of(skin)); }
std::string eyes_phrase(EyeColour colour) { return fmt::format("{} eyes", word_of(colour)); }
std::string glasses_phrase(Glasses glasses) { return fmt::format("{} glasses", word_of(glasses)); }
std::string beard_phrase(Beard beard) { return beard == Beard::full ? "full beard" : "moustache"; }
std::string expression_phrase(Expression e) {
  return e == Expression::slight ? "slight smile" : std::string(word_of(e));
}

std::string hair_phrase(HairStyle style, HairColour colour) {
  if (style == HairStyle::bald) return "bald head";
  if (style == HairStyle::bun) return fmt::format("{} hair bun", word_of(colour));
  return fmt::format("{} {} hair", word_of(style), word_of(colour));
}

std::string garment_phrase(Colour colour, Garment garment) {
  return fmt::format("{} {}", word_of(colour), word_of(garment));
}

std::string light_phrase(LightKind kind) {
  switch (kind) {
    case LightKind::soft:
      return "soft lighting";
    case LightKind::warm:
      return "warm lighting";
    case LightKind::cool:
      return "cool lighting";
    default:
      return "side lighting";
  }
}

std::string facing_phrase(Facing facing) {
  constexpr std::array<std::string_view, 3> phrases{"facing viewer", "facing left", "facing right"};
  return std::string(phrases[static_cast<std::size_t>(facing)]);
}

std::string scene_place(SceneKind scene) {
  if (scene == SceneKind::beach) return "on a beach";
  if (scene == SceneKind::mountains) return "in the mountains";
  return fmt::format("{} a {}", scene == SceneKind::street ? "on" : "in", word_of(scene));
}

// The caption node names the background; of a studio it sees the colour.
std::string scene_tag(const Shot& shot) {
  return shot.scene == SceneKind::studio ? fmt::format("plain {} background", word_of(shot.backdrop))
                                         : std::string(word_of(shot.scene));
}

std::string with_article(const std::string& noun) {
  return (std::string_view("aeiou").find(noun.front()) == std::string_view::npos ? "a " : "an ") + noun;
}

// By the face's share of the picture's height, as the caption node judges it: YuNet's box is about 0.83 of the head.
std::string framing(const Shot& shot) { return shot.head_height * 0.83f >= 0.45f ? "close-up" : "portrait"; }

std::string tags(const Person& person, const Shot& shot, RandomStream& s) {
  std::vector<std::string> tags{"1 person", std::string(word_of(person.presentation))};
  const auto say = [&](double probability, bool has, const std::string& tag) {
    if (chance(s, probability) && has) tags.push_back(tag);
  };
  say(0.6, true, framing(shot));
  say(0.8, true, facing_phrase(facing_of(shot)));
  say(0.85, true, hair_phrase(person.hair_style, person.hair_colour));
  say(0.85, person.glasses != Glasses::none, glasses_phrase(person.glasses));
  say(0.85, person.beard != Beard::none, beard_phrase(person.beard));
  say(0.4, true, eyes_phrase(person.eye_colour));
  say(0.7, true, skin_phrase(person.skin));
  say(0.7, true, expression_phrase(shot.expression));
  say(0.85, true, garment_phrase(shot.garment_colour, shot.garment));
  say(0.85, true, scene_tag(shot));
  say(0.9, shot.object.has_value(), shot.object ? text_of(*shot.object) : "");
  say(0.25, true, light_phrase(shot.light));
  say(shot.style == Style::photo ? 0.3 : 0.95, true, style_phrase(shot.style));
  return fmt::format("{}", fmt::join(tags, ", "));
}

// What the person has: "with long red hair, blue eyes and round glasses".
std::string features(const Person& person, RandomStream& s) {
  std::vector<std::string> parts;
  if (chance(s, 0.85))
    parts.push_back(person.hair_style == HairStyle::bald || person.hair_style == HairStyle::bun
                        ? with_article(hair_phrase(person.hair_style, person.hair_colour))
                        : hair_phrase(person.hair_style, person.hair_colour));
  if (chance(s, 0.4)) parts.push_back(eyes_phrase(person.eye_colour));
  if (chance(s, 0.7)) parts.push_back(skin_phrase(person.skin));
  if (chance(s, 0.85) && person.beard != Beard::none) parts.push_back(with_article(beard_phrase(person.beard)));
  if (chance(s, 0.85) && person.glasses != Glasses::none) parts.push_back(glasses_phrase(person.glasses));
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? " with " : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

std::string phrase(const Person& person, const Shot& shot, RandomStream& s) {
  const bool photo = shot.style == Style::photo;
  constexpr std::array<std::string_view, 3> openings{"portrait of ", "a portrait of ", "photo of "};
  std::string text(openings[s.below(photo ? 3 : 2)]);
  text += with_article(std::string(word_of(person.presentation))) + features(person, s);
  if (chance(s, 0.7) && shot.expression != Expression::serious)
    text += shot.expression == Expression::smiling ? ", smiling" : ", slight smile";
  if (chance(s, 0.8) && facing_of(shot) != Facing::viewer) text += ", " + facing_phrase(facing_of(shot));
  if (chance(s, 0.85)) text += ", wearing " + with_article(garment_phrase(shot.garment_colour, shot.garment));
  const bool scene = chance(s, 0.85), object = chance(s, 0.9) && shot.object;
  if (scene) text += ", " + scene_place(shot.scene);
  if (object) text += (scene ? " with " : ", with ") + with_article(text_of(*shot.object));
  if (chance(s, 0.2)) text += ", " + light_phrase(shot.light);
  if (chance(s, photo ? 0.25 : 0.95)) text += ", " + style_phrase(shot.style);
  return text;
}

// Calls say(phrase) with whatever a caption can say of each value of attribute E.
template <class E, class Phrase>
void all_of(std::set<std::string>& words, Phrase&& phrase) {
  for (std::size_t i = 0; i < Words<E>::list.size(); ++i) {
    const std::string text = phrase(static_cast<E>(i));
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find(' ', begin), text.size());
      words.insert(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
}

}  // namespace

std::string caption_of(const Person& person, const Shot& shot, RandomStream stream) {
  return chance(stream, 0.25) ? tags(person, shot, stream) : phrase(person, shot, stream);
}

std::vector<std::string> caption_words() {
  std::set<std::string> words{"a",      "an",      "of",   "with",   "and",      "in",         "on",
                              "the",    "wearing", "1",    "person", "portrait", "close-up",   "photo",
                              "facing", "viewer",  "left", "right",  "plain",    "background", "side"};
  all_of<Presentation>(words, [](auto v) { return std::string(word_of(v)); });
  all_of<Skin>(words, skin_phrase);
  all_of<EyeColour>(words, eyes_phrase);
  all_of<HairColour>(words, [](auto v) { return hair_phrase(HairStyle::bun, v); });
  all_of<HairStyle>(words, [](auto v) { return hair_phrase(v, HairColour::black); });
  all_of<Beard>(words, beard_phrase);
  all_of<Glasses>(words, [](auto v) { return v == Glasses::none ? "" : glasses_phrase(v); });
  all_of<Expression>(words, expression_phrase);
  all_of<Garment>(words, [](auto v) { return garment_phrase(Colour::black, v); });
  all_of<Colour>(words, [](auto v) { return std::string(word_of(v)); });
  all_of<LightKind>(words, light_phrase);
  all_of<SceneKind>(words, [](auto v) { return std::string(word_of(v)); });
  all_of<ObjectKind>(words, [](auto v) { return std::string(word_of(v)); });
  all_of<Style>(words, style_phrase);
  return {words.begin(), words.end()};
}

}  // namespace atelier::render
