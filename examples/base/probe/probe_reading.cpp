#include "probe/probe_reading.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "probe/probe_targets.h"

namespace atelier::probe {
namespace {

constexpr std::int64_t kBatch = 64;  // more need memory and no less time

std::vector<float> numbers_of(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  return {whole.data_ptr<float>(), whole.data_ptr<float>() + whole.numel()};
}

Reading reading_of(const at::Tensor& scores, const at::Tensor& identity) {  // [V], [I]
  Reading reading;
  std::int64_t from = 0;
  for (const auto& attribute : attributes()) {
    const auto count = static_cast<std::int64_t>(attribute.values.size());
    reading.probabilities.push_back(numbers_of(scores.narrow(0, from, count).softmax(0)));
    from += count;
  }
  reading.identity = numbers_of(identity);
  return reading;
}

std::size_t likeliest(const std::vector<float>& probabilities) {
  return static_cast<std::size_t>(std::ranges::max_element(probabilities) - probabilities.begin());
}

}  // namespace

std::string_view Reading::value_of(std::string_view attribute) const {
  const std::size_t a = attribute_named(attribute);
  return attributes()[a].values[likeliest(probabilities[a])];
}

double Reading::probability_of(std::string_view attribute, std::string_view value) const {
  const std::size_t a = attribute_named(attribute);
  const auto& values = attributes()[a].values;
  const auto found = std::ranges::find(values, value);
  if (found == values.end()) throw Fault(fmt::format("the probe's {} is never '{}'", attribute, value));
  return probabilities[a][static_cast<std::size_t>(found - values.begin())];
}

std::vector<Reading> read_shares(const ProbeNet& net, const at::Tensor& pictures) {
  const at::NoGradGuard no_grad;
  std::vector<Reading> readings;
  for (std::int64_t from = 0; from < pictures.size(0); from += kBatch) {
    const Answers answers = net.forward(pictures.narrow(0, from, std::min(kBatch, pictures.size(0) - from)));
    for (std::int64_t i = 0; i < answers.scores.size(0); ++i)
      readings.push_back(reading_of(answers.scores[i], answers.identities[i]));
  }
  return readings;
}

std::vector<Reading> read_pictures(const ProbeNet& net, const at::Tensor& pictures) {
  return read_shares(net, pictures.to(at::kFloat) / 255);
}

nlohmann::json to_json(const Reading& reading) {
  nlohmann::json json;
  for (std::size_t a = 0; a < attributes().size(); ++a) {
    const std::string name(attributes()[a].name);
    json["values"][name] = reading.value_of(name);
    for (std::size_t v = 0; v < attributes()[a].values.size(); ++v)
      json["probabilities"][name][std::string(attributes()[a].values[v])] = reading.probabilities[a][v];
  }
  json["identity"] = reading.identity;
  return json;
}

}  // namespace atelier::probe
