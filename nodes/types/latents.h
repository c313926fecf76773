// types: latents, what `encode` makes of images and captions: the VAE's posterior for each photo, the text encoder's
// hidden states for each caption.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "artifact/port_type.h"
#include "base/digest.h"

namespace atelier {

// One photo as the base model sees it.
struct EncodedPhoto {
  std::string name;  // of the file, as in messages
  Digest photo;      // of the photo as it came in: what random draws for it are keyed by
  Tensor mean;       // [4, h, w] f32, the posterior's mean, not yet scaled by the VAE's factor
  Tensor deviation;  // [4, h, w] f32, its standard deviation
  Tensor validity;   // [h, w] f32 in [0, 1], by area: how much of each latent are pixels that were not invented
};

struct Latents {
  std::vector<EncodedPhoto> photos;
  std::map<std::string, Tensor> texts;  // caption -> hidden states, [77, D] f32

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<Latents> from(const Artifact& artifact);
};

// Port type `latents`: stays in the cache, cannot be an output.
std::shared_ptr<const PortType> make_latents_type();

}  // namespace atelier
