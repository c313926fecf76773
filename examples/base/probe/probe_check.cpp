#include "probe/probe_check.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "probe/augmentation.h"
#include "probe/identity.h"
#include "probe/probe_reading.h"
#include "probe/probe_targets.h"

namespace atelier::probe {
namespace {

AttributeCheck checked(std::size_t a, const std::vector<Reading>& readings, const at::Tensor& values) {
  const Attribute& attribute = attributes()[a];
  AttributeCheck check{attribute.name, 0, 0};
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const auto value = values[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(a)].item<std::int64_t>();
    if (value == kUntold) continue;
    ++check.told;
    check.right += readings[i].value_of(attribute.name) == attribute.values[static_cast<std::size_t>(value)];
  }
  return check;
}

}  // namespace

Check check_probe(const ProbeNet& net, const RenderedSet& set, Condition condition, std::int64_t seed) {
  const at::NoGradGuard no_grad;
  at::Tensor pictures = set.pictures.to(at::kFloat) / 255;
  if (condition == Condition::augmented) pictures = augmented(pictures, RandomStream(seed, "probe check", Digest{}));
  const auto readings = read_shares(net, pictures);
  Check check;
  for (std::size_t a = 0; a < attributes().size(); ++a) check.attributes.push_back(checked(a, readings, set.values));
  double squares = 0;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const at::Tensor known = set.identities[static_cast<std::int64_t>(i)];  // [I]
    squares += (at::tensor(readings[i].identity) - known).square().mean().item<double>();
    if (i > 0) check.strangers_distance += identity_distance(readings[i - 1].identity, readings[i].identity);
  }
  check.identity_error = std::sqrt(squares / static_cast<double>(readings.size()));
  check.strangers_distance /= static_cast<double>(readings.size() - 1);
  return check;
}

nlohmann::json to_json(const Check& check) {
  nlohmann::json json;
  for (const auto& attribute : check.attributes) {
    json["accuracy"][std::string(attribute.attribute)] = attribute.share_right();
    json["told"][std::string(attribute.attribute)] = attribute.told;
  }
  json["identity_error"] = check.identity_error;
  json["strangers_distance"] = check.strangers_distance;
  return json;
}

}  // namespace atelier::probe
