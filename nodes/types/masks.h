// types: soft masks, one for each image: the typed view of a `masks` artifact.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

struct Mask {
  std::string name;  // of the image it belongs to
  Tensor mask;       // u8 [H, W]; value / 255 is the mask, 0 to 1

  std::int64_t height() const { return mask.shape()[0]; }
  std::int64_t width() const { return mask.shape()[1]; }
  double share() const;  // mean of the mask, 0 to 1
};

struct MaskSet {
  std::vector<Mask> items;

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<MaskSet> from(const Artifact& artifact);
};

// Port type `masks`. An output is a folder of grey PNGs, NAME.png.
std::shared_ptr<const PortType> make_masks_type(Files& files);

}  // namespace atelier
