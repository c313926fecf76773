// types: dataset, what a training learns from: photos as latents, each with the words and the mask it is learned under.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/port_type.h"
#include "base/digest.h"
#include "types/encoded_text.h"
#include "types/photo_sizes.h"

namespace atelier {

struct DatasetItem {
  std::string name;     // of the photo's file, as in messages
  Digest photo;         // of the photo as it came in: what noise and timesteps are keyed by
  Tensor mean;          // [4, h, w] f32, the VAE's posterior, not yet scaled
  Tensor deviation;     // [4, h, w] f32
  Tensor mask;          // [h, w] f32 in [0, 1], resampled by area; nothing that was invented
  std::string caption;  // a key of Dataset::texts, unless those were not kept
  double weight = 1;    // factor of the loss
  PhotoSizes sizes = {};
  std::int64_t repeats = 1;             // how often it counts in a round, beside Dataset::repeats
  bool mirrored = false;                // a mirrored copy, which is no other photo of the person
  std::optional<Tensor> validity = {};  // [h, w] f32 in [0, 1]: what was not invented; absent: all
};

struct Dataset {
  std::vector<DatasetItem> items;
  EncodedTexts texts;        // of every caption; empty where they were not to be kept
  std::int64_t repeats = 1;  // how often each photo counts in one round
  double share = 1;          // of a training's loss, relative to the other datasets' shares
  bool customer = false;     // whether these are the customer's own photos
  TextSettings text_settings = {};

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<Dataset> from(const Artifact& artifact);
};

// Port type `dataset`: stays in the cache, cannot be an output.
std::shared_ptr<const PortType> make_dataset_type();

}  // namespace atelier
