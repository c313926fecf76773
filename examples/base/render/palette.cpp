#include "render/palette.h"

namespace atelier::render {

Rgb colour_of(Colour colour) {
  constexpr std::array<unsigned, Words<Colour>::list.size()> hex{
      0x1c1c20, 0x8a8a8e, 0xf0f0ee, 0xd0202a, 0xf08018, 0x7a4a26, 0xf4cf20, 0x2a9a3c, 0x2454c8, 0x7a30a8, 0xf08cb4};
  return rgb(hex[static_cast<std::size_t>(colour)]);
}

Rgb skin_of(const Person& person) {
  struct Range {
    unsigned light, dark;
  };
  constexpr std::array<Range, Words<Skin>::list.size()> ranges{
      {{0xfbe3d4, 0xf3d0ba}, {0xecc0a0, 0xe0ae88}, {0xcf9a6c, 0xb98254}, {0x8f5c3a, 0x633c26}}};
  const Range range = ranges[static_cast<std::size_t>(person.skin)];
  return mix(rgb(range.light), rgb(range.dark), person.skin_shade);
}

Rgb hair_of(HairColour colour) {
  constexpr std::array<unsigned, Words<HairColour>::list.size()> hex{0x1e1a1c, 0x5a3820, 0xe0bc6a, 0xb4481c, 0xb0b0b2};
  return rgb(hex[static_cast<std::size_t>(colour)]);
}

Rgb eyes_of(EyeColour colour) {
  constexpr std::array<unsigned, Words<EyeColour>::list.size()> hex{0x5c3416, 0x3a84d0, 0x3c9a56, 0x7c8a96};
  return rgb(hex[static_cast<std::size_t>(colour)]);
}

}  // namespace atelier::render
