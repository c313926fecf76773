// types: decoded pictures in the order of their names, with what is known of each: the typed view of an `images`
// artifact.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/port_type.h"
#include "base/files.h"
#include "types/face.h"

namespace atelier {

struct Image {
  std::string name;             // base name of the photo, "01.jpg"
  Digest photo;                 // of the photo's bytes as they came; keys the random streams of what is drawn for it
  Tensor pixels;                // u8 [H, W, 3], RGB
  std::optional<Tensor> valid;  // u8 [H, W]: 255 where a pixel is the photo's own, less where it was invented; absent:
                                // all 255
  std::optional<Face> face;     // the largest, in the coordinates of `pixels`

  // For size conditioning: the upright photo's size before anything was done to it, and the top left corner of the crop
  // in the photo scaled as `pixels` is (negative where the crop reaches beyond the photo).
  std::int64_t original_width = 0, original_height = 0;
  std::int64_t crop_left = 0, crop_top = 0;

  std::int64_t repeats = 1;  // how often it counts in a round through its set
  bool mirrored = false;     // a copy, left and right changed; `photo` is then mirrored_photo() of the photo's

  std::optional<std::string> text;             // NAME.txt beside the photo, or its kohya folder's caption
  std::optional<std::string> portrait_text;    // NAME.portrait.txt
  std::optional<std::string> background_text;  // NAME.background.txt

  std::int64_t height() const { return pixels.shape()[0]; }
  std::int64_t width() const { return pixels.shape()[1]; }
};

// What stands for a photo's digest in its mirrored copy, so that the copy's random draws are its own.
Digest mirrored_photo(const Digest& photo);

struct ImageSet {
  std::vector<Image> items;

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<ImageSet> from(const Artifact& artifact);
};

// Port type `images`. An output is a folder of PNGs, NAME.png.
std::shared_ptr<const PortType> make_images_type(Files& files);

}  // namespace atelier
