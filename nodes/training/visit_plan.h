// training: which photos a step sees. Pure: a function of the step, the datasets and the seed, so a training that was
// cut off goes on with the very photos it would have seen.
//
// Every step holds `batch_size` photos of each dataset, so trainings of equally many steps see a customer's photos
// equally often, whatever else they learn from. Within a dataset photos come in rounds: each round shows every photo
// `repeats` times (the dataset's times its own), in an order drawn for each photo by itself; the same photos come in
// the same order in another training of the same seed. How much a dataset counts (its share) is a factor of the loss,
// not of the visits.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/digest.h"
#include "types/dataset.h"

namespace atelier {

// One row of a step's batch.
struct Visit {
  std::size_t dataset = 0;  // index of the dataset
  std::size_t item = 0;     // index of the photo in it
  std::uint64_t visit = 0;  // how often the dataset has shown this photo before: the n of "a photo's n-th visit"
  bool operator==(const Visit&) const = default;
};

class VisitPlan {
 public:
  // `datasets` are not empty and outlive the plan; batch_size is at least 1.
  VisitPlan(std::span<const Dataset> datasets, std::int64_t batch_size, std::int64_t seed);

  // The rows of a step (0-based), dataset by dataset. Of each dataset the round that came last is remembered, since the
  // next step is of the same: not to be called from several threads at a time.
  std::vector<Visit> step(std::int64_t step);
  std::size_t rows() const { return datasets_.size() * batch_size_; }

  // Factor of the loss of a row of this dataset beside its photo's own weight: the step's loss, a mean over rows, is
  // then the sum over datasets of share * mean of the dataset, with shares of mean 1. So a photo weighs the same in
  // every training of equal shares, however many datasets stand beside its own.
  double row_weight(std::size_t dataset) const;

 private:
  // A round of a dataset: its items in order, each `repeats` times.
  struct Round {
    std::uint64_t number = 0;
    std::vector<std::size_t> order;
    std::vector<std::uint64_t> visits;  // of each place: how often its photo was shown before, in all rounds
  };
  std::vector<std::size_t> round_order(std::size_t dataset, std::uint64_t round) const;
  const Round& round(std::size_t dataset, std::uint64_t number);

  std::span<const Dataset> datasets_;
  std::vector<std::size_t> per_round_;      // visits in a round of each dataset
  std::vector<std::optional<Round>> last_;  // of each dataset
  std::size_t batch_size_;
  std::int64_t seed_;
};

// How many steps `steps_per_image` asks for: that many for each different photo of the customer times its repeats; for
// each photo of all datasets where none is the customer's. Mirrored copies are no photos of their own.
std::int64_t steps_for(std::span<const Dataset> datasets, std::int64_t steps_per_image);

}  // namespace atelier
