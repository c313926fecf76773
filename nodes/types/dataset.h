// types: dataset, what a training learns from: photos as latents, each with the words and the mask it is learned under.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "artifact/port_type.h"
#include "base/digest.h"

namespace atelier {

struct DatasetItem {
  std::string name;     // of the photo's file, as in messages
  Digest photo;         // of the photo as it came in: what noise and timesteps are keyed by
  Tensor mean;          // [4, h, w] f32, the VAE's posterior, not yet scaled
  Tensor deviation;     // [4, h, w] f32
  Tensor mask;          // [h, w] f32 in [0, 1], resampled by area
  std::string caption;  // a key of Dataset::texts
  double weight = 1;    // factor of the loss
};

struct Dataset {
  std::vector<DatasetItem> items;
  std::map<std::string, Tensor> texts;  // caption -> hidden states, [77, D] f32
  std::int64_t repeats = 1;             // how often each photo counts in one round
  double share = 1;                     // of a training's loss, relative to the other datasets' shares
  bool customer = false;                // whether these are the customer's own photos

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<Dataset> from(const Artifact& artifact);
};

// Port type `dataset`: stays in the cache, cannot be an output.
std::shared_ptr<const PortType> make_dataset_type();

}  // namespace atelier
