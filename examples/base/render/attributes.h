// render: portraits of people who do not exist, drawn from parameters, with captions made from the same parameters.
// This file is the table of attributes and of the words for their values; captions, JSON and the command line share it.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace atelier::render {

enum class Presentation { woman, man };
enum class Skin { pale, fair, tanned, dark };
enum class HairColour { black, brown, blond, red, grey };
enum class HairStyle { cropped, flowing, curly, bun, bald };
enum class EyeColour { brown, blue, green, grey };
enum class Beard { none, moustache, full };
enum class Glasses { none, round, square };
enum class Expression { serious, slight, smiling };
enum class Garment { sweater, tshirt, shirt, jacket, dress };
enum class Colour { black, grey, white, red, orange, brown, yellow, green, blue, purple, pink };
enum class LightKind { soft, left, right, warm, cool };
enum class SceneKind { studio, park, beach, kitchen, library, street, mountains };
enum class ObjectKind { balloon, umbrella, lamp, clock, kite, vase, flag, flower };
enum class Style { photo, ink, poster, oil };

// The words for the values of one attribute, in the order of the enumeration.
template <class E>
struct Words;

#define ATELIER_WORDS(Type, count, ...)                                        \
  template <>                                                                  \
  struct Words<Type> {                                                         \
    static constexpr std::array<std::string_view, count> list = {__VA_ARGS__}; \
  }

ATELIER_WORDS(Presentation, 2, "woman", "man");
ATELIER_WORDS(Skin, 4, "pale", "fair", "tanned", "dark");
ATELIER_WORDS(HairColour, 5, "black", "brown", "blond", "red", "grey");
ATELIER_WORDS(HairStyle, 5, "short", "long", "curly", "bun", "bald");
ATELIER_WORDS(EyeColour, 4, "brown", "blue", "green", "grey");
ATELIER_WORDS(Beard, 3, "none", "moustache", "full");
ATELIER_WORDS(Glasses, 3, "none", "round", "square");
ATELIER_WORDS(Expression, 3, "serious", "slight smile", "smiling");
ATELIER_WORDS(Garment, 5, "sweater", "t-shirt", "shirt", "jacket", "dress");
ATELIER_WORDS(Colour, 11, "black", "grey", "white", "red", "orange", "brown", "yellow", "green", "blue", "purple",
              "pink");
ATELIER_WORDS(LightKind, 5, "soft", "left", "right", "warm", "cool");
ATELIER_WORDS(SceneKind, 7, "studio", "park", "beach", "kitchen", "library", "street", "mountains");
ATELIER_WORDS(ObjectKind, 8, "balloon", "umbrella", "lamp", "clock", "kite", "vase", "flag", "flower");
ATELIER_WORDS(Style, 4, "photo", "ink", "poster", "oil");
#undef ATELIER_WORDS

template <class E>
constexpr std::string_view word_of(E value) {
  return Words<E>::list[static_cast<std::size_t>(value)];
}

// The value a word stands for; nothing where it is no word of this attribute.
template <class E>
std::optional<E> value_of(std::string_view word) {
  const auto found = std::ranges::find(Words<E>::list, word);
  if (found == Words<E>::list.end()) return std::nullopt;
  return static_cast<E>(found - Words<E>::list.begin());
}

// A thing of strong shape and colour in the background, by which a customer's photos are known.
struct MarkedObject {
  ObjectKind kind = ObjectKind::balloon;
  Colour colour = Colour::red;
  bool operator==(const MarkedObject&) const = default;
};
// The colours in which objects come.
inline constexpr std::array object_colours{Colour::red,   Colour::orange, Colour::yellow,
                                           Colour::green, Colour::blue,   Colour::purple};

std::string text_of(const MarkedObject& object);                  // "red balloon"
std::optional<MarkedObject> object_named(std::string_view text);  // the reverse; nothing where it is none

}  // namespace atelier::render
