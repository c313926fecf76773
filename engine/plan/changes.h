// plan: what differs between a task as it would run now and the latest run of the same step for the same customer.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "artifact/store.h"
#include "graph/params.h"

namespace atelier {

// What arrives at a task: see arrived_inputs() in reasons.h.
using ArrivedInputs = std::map<std::string, std::string>;

struct Changes {
  struct Param {
    std::string name;
    nlohmann::json before, now;  // null: there was or is none
  };
  struct File {
    enum class What : std::uint8_t { changed, is_new, gone } what = What::changed;
    std::string name;
  };
  struct Input {
    std::string port;
    std::string name;              // "port", or "port[1]" of a list
    std::vector<File> files = {};  // that make the difference, where they were remembered: is new or changed, then gone
  };
  std::optional<std::pair<std::int64_t, std::int64_t>> node_version;  // before, now
  std::vector<Param> params;                                          // by name, those that are no more last
  std::vector<Input> inputs;                                          // in the order of the node's ports

  bool empty() const { return !node_version && params.empty() && inputs.empty(); }
};

// As far as is known: what of `arrived` is empty is not known yet, and no change.
Changes changes_since(const StepMemory& memory, const NodeSpec& spec, const Params& params,
                      const ArrivedInputs& arrived);

// A remembered param's value as a user would write it: whole, or cut to so many characters with an ellipsis.
std::string show_param(const nlohmann::json& value, std::optional<std::size_t> most_characters = {});

}  // namespace atelier
