// types: one caption for each image: the typed view of a `captions` artifact.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

struct Caption {
  std::string name;  // of the image it belongs to
  std::string text;  // UTF-8, one line; may be empty
};

struct CaptionSet {
  std::vector<Caption> items;

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<CaptionSet> from(const Artifact& artifact);
};

// Port type `captions`. An output is a folder of NAME.txt.
std::shared_ptr<const PortType> make_captions_type(Files& files);

}  // namespace atelier
