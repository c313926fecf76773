// training: captions through the base's frozen text encoders, one by one.
#pragma once
#include <memory>
#include <string>

#include "base/error.h"
#include "diffusion/text_encoders.h"
#include "graph/device.h"
#include "types/encoded_text.h"
#include "types/model.h"

namespace atelier {

class CaptionEncoder {
 public:
  CaptionEncoder(std::shared_ptr<const diffusion::TextEncoders> encoders, TextSettings settings)
      : encoders_(std::move(encoders)), settings_(settings) {}
  // With the base's text encoders on the device. Errors: those of loading them.
  static Expected<CaptionEncoder> create(const Model& base, const TextSettings& settings, Device& device);

  // What the UNet is told of the caption, on the CPU. Errors: settings that the base does not have.
  Expected<EncodedText> encode(const std::string& caption) const;

  // A sentence for a warning where the caption is longer than max_token_length; else empty.
  std::string told_if_cut(const std::string& caption) const;

 private:
  std::shared_ptr<const diffusion::TextEncoders> encoders_;
  TextSettings settings_;
};

}  // namespace atelier
