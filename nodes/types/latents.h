// types: latents, what `encode` makes of images and captions: the VAE's posterior for each photo, the text encoder's
// hidden states for each caption.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "artifact/port_type.h"
#include "base/digest.h"
#include "types/encoded_text.h"
#include "types/photo_sizes.h"

namespace atelier {

// One photo as the base model sees it.
struct EncodedPhoto {
  std::string name;  // of the file, as in messages
  Digest photo;      // of the photo as it came in: what random draws for it are keyed by
  Tensor mean;       // [4, h, w] f32, the posterior's mean, not yet scaled by the VAE's factor
  Tensor deviation;  // [4, h, w] f32, its standard deviation
  Tensor validity;   // [h, w] f32 in [0, 1], by area: how much of each latent are pixels that were not invented
  PhotoSizes sizes = {};
  std::int64_t repeats = 1;  // how often it counts in a round through its set
  bool mirrored = false;     // a mirrored copy; `photo` is then the copy's own
};

struct Latents {
  std::vector<EncodedPhoto> photos;
  EncodedTexts texts;  // of every caption; empty where they were not to be kept
  TextSettings text_settings = {};

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<Latents> from(const Artifact& artifact);
};

// Port type `latents`: stays in the cache, cannot be an output.
std::shared_ptr<const PortType> make_latents_type();

}  // namespace atelier
