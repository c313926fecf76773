#include "render/picture.h"

#include <type_traits>

#include "render/caption.h"

namespace atelier::render {
namespace {

struct FieldToJson {
  nlohmann::json& json;

  template <class T>
  void operator()(const char* name, const T& value) const {
    if constexpr (std::is_enum_v<T>)
      json[name] = word_of(value);
    else
      json[name] = value;
  }
  void operator()(const char* name, const std::optional<MarkedObject>& object) const {
    json[name] = object ? nlohmann::json(text_of(*object)) : nlohmann::json();
  }
};

}  // namespace

Picture random_picture(std::int64_t seed, std::uint64_t index, std::optional<Style> style) {
  Picture picture;
  picture.person = random_person(RandomStream(seed, "person", Digest{}).at(index));
  picture.shot = random_shot(RandomStream(seed, "shot", Digest{}).at(index), picture.person);
  if (style) picture.shot.style = *style;
  picture.caption = caption_of(picture.person, picture.shot, RandomStream(seed, "caption", Digest{}).at(index));
  return picture;
}

Picture customer_picture(std::int64_t number, std::uint64_t index, const CustomerPlace& place) {
  Picture picture;
  picture.person = person_numbered(number);
  picture.shot = customer_shot(number, index, picture.person, place);
  picture.caption =
      caption_of(picture.person, picture.shot, RandomStream(number, "customer caption", Digest{}).at(index));
  return picture;
}

nlohmann::json to_json(const Person& person) {
  nlohmann::json json;
  visit_person(person, FieldToJson{json});
  return json;
}

nlohmann::json to_json(const Shot& shot) {
  nlohmann::json json;
  visit_shot(shot, FieldToJson{json});
  return json;
}

}  // namespace atelier::render
