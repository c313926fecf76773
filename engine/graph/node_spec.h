// graph: what a node declares of itself: ports, params, version, place, keep.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/value.h"

namespace atelier {

enum class Place { cpu, device };
enum class Keep {
  always,        // latents, masks, LoRAs …
  while_needed,  // decoded photos, which would fill the disk: dropped when the last consumer is done
  recipe,        // fused models: made again from what they name, never stored
};
enum class ParamRole { in_key, execution };  // only the former make the key

struct PortSpec {
  std::string name;
  std::string type;      // name of a PortType
  std::string summary;   // one sentence
  bool many = false;     // takes a list, whose order counts
  bool required = true;  // inputs only
  bool aside = false;    // outputs only: comes beside the result; a step's name alone never means it
};

struct ParamSpec {
  std::string name;
  ValueType type = ValueType::text;
  Value value = {};          // the default; absent with `required` false: the node decides, as its summary says
  std::string summary = {};  // one sentence
  std::string unit = {};     // "px", "steps", "1/step" … empty: none
  std::optional<double> minimum = {}, maximum = {};  // inclusive; of the elements for a list
  std::vector<std::string> choices = {};             // text only; empty: any
  std::optional<ValueType> element = {};             // list only: the elements' type
  bool required = false;                             // no default: must be given
  ParamRole role = ParamRole::in_key;
};

struct NodeSpec {
  std::string name;
  std::string summary;       // one sentence
  std::int64_t version = 1;  // raised by hand when the node's behaviour changes
  Place place = Place::cpu;
  Keep keep = Keep::always;
  std::int64_t gang_size = 1;  // at most so many tasks of different customers in one run()
  std::vector<PortSpec> inputs;
  std::vector<PortSpec> outputs;
  std::vector<ParamSpec> params;

  const PortSpec* input(std::string_view port) const;
  const PortSpec* output(std::string_view port) const;
  const ParamSpec* param(std::string_view param_name) const;
  // What a step's name alone means: the only output, asides apart. Null where there are several or none.
  const PortSpec* main_output() const;
};

// Empty where the value may stand for the param; otherwise what was expected, as in "expects an integer from 1 to
// 1024".
std::string mismatch(const ParamSpec& spec, const Value& value);

}  // namespace atelier
