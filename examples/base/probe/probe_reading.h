// probe: what the network reads off pictures.
#pragma once
#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "probe/probe_net.h"

namespace atelier::probe {

struct Reading {
  std::vector<std::vector<float>> probabilities;  // of each attribute's values, in the order of probe_targets.h; sum 1
  std::vector<float> identity;                    // [I], for identity_distance

  // The likeliest value's word. An unknown attribute is a Fault.
  std::string_view value_of(std::string_view attribute) const;
  // 0 to 1. An unknown attribute or value is a Fault.
  double probability_of(std::string_view attribute, std::string_view value) const;
};

// One reading a picture. `pictures`: [N, 3, 128, 128] uint8, RGB.
std::vector<Reading> read_pictures(const ProbeNet& net, const at::Tensor& pictures);
// The same of pictures in float32, [0, 1].
std::vector<Reading> read_shares(const ProbeNet& net, const at::Tensor& pictures);

// {"values": {"scene": "park", …}, "probabilities": {"scene": {"park": 0.98, …}, …}, "identity": [ … ]}
nlohmann::json to_json(const Reading& reading);

}  // namespace atelier::probe
