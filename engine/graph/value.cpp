#include "graph/value.h"

#include <fmt/format.h>

#include "base/error.h"

namespace atelier {
namespace {

template <class T, class Data>
const T& held(const Data& data, std::string_view wanted) {
  const T* value = std::get_if<T>(&data);
  if (!value) throw Fault(fmt::format("a param was read as {} and is none", wanted));
  return *value;
}

}  // namespace

ValueType Value::type() const {
  if (absent()) throw Fault("the type of an absent value was asked for");
  return static_cast<ValueType>(data_.index() - 1);
}

bool Value::boolean() const { return held<bool>(data_, "a boolean"); }
std::int64_t Value::integer() const { return held<std::int64_t>(data_, "an integer"); }
double Value::number() const {
  if (const auto* i = std::get_if<std::int64_t>(&data_)) return static_cast<double>(*i);
  return held<double>(data_, "a number");
}
const std::string& Value::text() const { return held<std::string>(data_, "text"); }
const Value::List& Value::list() const { return held<List>(data_, "a list"); }

void Value::encode(Encoder& encoder) const {
  if (absent()) {
    encoder.absent();
    return;
  }
  switch (type()) {
    case ValueType::boolean:
      encoder.boolean(boolean());
      break;
    case ValueType::integer:
      encoder.integer(integer());
      break;
    case ValueType::number:
      encoder.number(number());
      break;
    case ValueType::text:
      encoder.text(text());
      break;
    case ValueType::list:
      encoder.list(list().size());
      for (const auto& v : list()) v.encode(encoder);
  }
}

nlohmann::json Value::json() const {
  if (absent()) return nullptr;
  switch (type()) {
    case ValueType::boolean:
      return boolean();
    case ValueType::integer:
      return integer();
    case ValueType::number:
      return number();
    case ValueType::text:
      return text();
    case ValueType::list:
      break;
  }
  auto all = nlohmann::json::array();
  for (const auto& v : list()) all.push_back(v.json());
  return all;
}

std::string Value::show() const {
  if (absent()) return "none";
  if (type() == ValueType::number) return fmt::format("{}", number());
  if (type() != ValueType::list) return json().dump();
  std::string text = "[";
  for (std::size_t i = 0; i < list().size(); ++i) text += (i ? ", " : "") + list()[i].show();
  return text + "]";
}

std::string_view name_of(ValueType type) noexcept {
  switch (type) {
    case ValueType::boolean:
      return "true or false";
    case ValueType::integer:
      return "an integer";
    case ValueType::number:
      return "a number";
    case ValueType::text:
      return "text";
    case ValueType::list:
      return "a list";
  }
  return "a value";
}

}  // namespace atelier
