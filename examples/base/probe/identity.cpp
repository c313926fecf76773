#include "probe/identity.h"

#include <cmath>
#include <type_traits>

namespace atelier::probe {
namespace {

std::vector<float> numbers_of(const render::Person& person) {
  std::vector<float> numbers;
  render::visit_person(person, [&](const char*, const auto& field) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(field)>, float>) numbers.push_back(field);
  });
  return numbers;
}

struct Spread {
  std::vector<double> mean, deviation;
};

// Over so many people the means are known to two hundredths of a deviation.
constexpr std::uint64_t kPeople = 4096;

Spread measured_spread() {
  const RandomStream people(0, "probe people", Digest{});
  const std::size_t count = identity_names().size();
  std::vector<double> sum(count), squares(count);
  for (std::uint64_t i = 0; i < kPeople; ++i) {
    const auto numbers = numbers_of(render::random_person(people.at(i)));
    for (std::size_t n = 0; n < count; ++n) {
      sum[n] += numbers[n];
      squares[n] += static_cast<double>(numbers[n]) * numbers[n];
    }
  }
  Spread spread;
  for (std::size_t n = 0; n < count; ++n) {
    const double mean = sum[n] / kPeople;
    spread.mean.push_back(mean);
    spread.deviation.push_back(std::sqrt(squares[n] / kPeople - mean * mean));
  }
  return spread;
}

}  // namespace

const std::vector<std::string>& identity_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    const render::Person person;
    render::visit_person(person, [&](const char* name, const auto& field) {
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(field)>, float>) list.emplace_back(name);
    });
    return list;
  }();
  return names;
}

std::vector<float> identity_of(const render::Person& person) {
  static const Spread spread = measured_spread();
  std::vector<float> identity = numbers_of(person);
  for (std::size_t n = 0; n < identity.size(); ++n)
    identity[n] = static_cast<float>((identity[n] - spread.mean[n]) / spread.deviation[n]);
  return identity;
}

double identity_distance(std::span<const float> one, std::span<const float> other) {
  double sum = 0;
  for (std::size_t n = 0; n < one.size(); ++n) {
    const double difference = static_cast<double>(one[n]) - other[n];
    sum += difference * difference;
  }
  return std::sqrt(sum / static_cast<double>(one.size()));
}

}  // namespace atelier::probe
