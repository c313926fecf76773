// graph: a param's value. Types are strict: an integer serves as a number, nothing else converts.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/digest.h"

namespace atelier {

enum class ValueType { boolean, integer, number, text, list };

class Value {
 public:
  using List = std::vector<Value>;
  Value() = default;  // absent
  Value(bool v) : data_(v) {}
  Value(std::int64_t v) : data_(v) {}
  Value(int v) : data_(static_cast<std::int64_t>(v)) {}
  Value(double v) : data_(v) {}
  Value(std::string v) : data_(std::move(v)) {}
  Value(const char* v) : data_(std::string(v)) {}
  Value(List v) : data_(std::move(v)) {}

  bool absent() const { return std::holds_alternative<std::monostate>(data_); }
  bool is(ValueType type) const { return !absent() && this->type() == type; }
  ValueType type() const;  // throws Fault where absent

  // Throw Fault where the value is of another type; `number` takes an integer too.
  bool boolean() const;
  std::int64_t integer() const;
  double number() const;
  const std::string& text() const;
  const List& list() const;

  bool operator==(const Value&) const = default;
  void encode(Encoder& encoder) const;  // type-tagged, for keys
  nlohmann::json json() const;          // absent is null
  std::string show() const;             // as a user would write it: 80, 0.6, "sks", [1, 2]

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List> data_;
};

std::string_view name_of(ValueType type) noexcept;  // "true or false", "an integer", "a number", "text", "a list"

}  // namespace atelier
