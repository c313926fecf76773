#include "training/visit_plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "base/random.h"

namespace atelier {

namespace {

std::int64_t repeats_of(const Dataset& dataset, const DatasetItem& item) { return dataset.repeats * item.repeats; }

}  // namespace

VisitPlan::VisitPlan(std::span<const Dataset> datasets, std::int64_t batch_size, std::int64_t seed)
    : datasets_(datasets), batch_size_(static_cast<std::size_t>(batch_size)), seed_(seed) {
  for (const auto& dataset : datasets) {
    std::int64_t visits = 0;
    for (const auto& item : dataset.items) visits += repeats_of(dataset, item);
    per_round_.push_back(static_cast<std::size_t>(visits));
  }
  last_.resize(datasets.size());
}

std::vector<std::size_t> VisitPlan::round_order(std::size_t dataset, std::uint64_t round) const {
  const auto& items = datasets_[dataset].items;
  // Two files may hold the same photo: each copy draws by itself.
  std::map<Digest, std::uint64_t> copies;
  using Place = std::tuple<double, Digest, std::uint64_t, std::size_t>;  // draw; the rest only settles ties
  std::vector<Place> places;
  for (std::size_t item = 0; item < items.size(); ++item)
    for (std::int64_t repeat = 0; repeat < repeats_of(datasets_[dataset], items[item]); ++repeat) {
      const auto copy = copies[items[item].photo]++;
      auto stream = RandomStream(seed_, "visiting order", items[item].photo).at(round).at(copy);
      places.emplace_back(stream.uniform(), items[item].photo, copy, item);
    }
  std::sort(places.begin(), places.end());
  std::vector<std::size_t> order;
  for (const auto& place : places) order.push_back(std::get<3>(place));
  return order;
}

const VisitPlan::Round& VisitPlan::round(std::size_t dataset, std::uint64_t number) {
  auto& last = last_[dataset];
  if (last && last->number == number) return *last;
  last = Round{number, round_order(dataset, number), {}};
  const auto& items = datasets_[dataset].items;
  std::map<Digest, std::uint64_t> in_a_round, before;
  for (const auto item : last->order) ++in_a_round[items[item].photo];
  for (const auto item : last->order)
    last->visits.push_back(number * in_a_round[items[item].photo] + before[items[item].photo]++);
  return *last;
}

std::vector<Visit> VisitPlan::step(std::int64_t step) {
  std::vector<Visit> visits;
  for (std::size_t d = 0; d < datasets_.size(); ++d)
    for (std::size_t row = 0; row < batch_size_; ++row) {
      const auto position = static_cast<std::size_t>(step) * batch_size_ + row;
      const auto& now = round(d, position / per_round_[d]);
      const auto place = position % per_round_[d];
      visits.push_back({d, now.order[place], now.visits[place]});
    }
  return visits;
}

double VisitPlan::row_weight(std::size_t dataset) const {
  const double shares = std::accumulate(datasets_.begin(), datasets_.end(), 0.0,
                                        [](double sum, const Dataset& d) { return sum + d.share; });
  const auto count = static_cast<double>(datasets_.size());
  const double share = datasets_[dataset].share * count / shares;  // 1 where all are equal
  return share * count;                                            // the mean over rows divides by `count` again
}

std::int64_t steps_for(std::span<const Dataset> datasets, std::int64_t steps_per_image) {
  const bool any_customer = std::any_of(datasets.begin(), datasets.end(), [](const auto& d) { return d.customer; });
  std::map<Digest, std::int64_t> repeats;  // of each different photo
  for (const auto& dataset : datasets)
    for (const auto& item : dataset.items)
      if (!item.mirrored && (dataset.customer || !any_customer))
        repeats[item.photo] = std::max(repeats[item.photo], repeats_of(dataset, item));
  std::int64_t visits = 0;
  for (const auto& [photo, times] : repeats) visits += times;
  return visits * steps_per_image;
}

}  // namespace atelier
