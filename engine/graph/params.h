// graph: the params of a task, by name, with defaults filled in.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "graph/node_spec.h"

namespace atelier {

class Params {
 public:
  Params() = default;
  // `given` must have passed mismatch(); what the spec names and `given` lacks gets its default.
  Params(const NodeSpec& spec, std::map<std::string, Value> given);

  // Throw Fault for a name the node does not declare: a bug of the node.
  const Value& at(std::string_view name) const;
  bool given(std::string_view name) const { return !at(name).absent(); }
  bool boolean(std::string_view name) const { return at(name).boolean(); }
  std::int64_t integer(std::string_view name) const { return at(name).integer(); }
  double number(std::string_view name) const { return at(name).number(); }
  const std::string& text(std::string_view name) const { return at(name).text(); }
  std::vector<std::string> texts(std::string_view name) const;
  std::vector<double> numbers(std::string_view name) const;
  std::vector<std::int64_t> integers(std::string_view name) const;

  const std::map<std::string, Value, std::less<>>& all() const { return values_; }
  // The in_key params, each number as its declared type: what enters the key, and what "params changed" compares.
  std::map<std::string, Value> in_key(const NodeSpec& spec) const;

 private:
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace atelier
