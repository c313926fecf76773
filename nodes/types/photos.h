// types: photos as they came: files on disk, by base name and digest: the typed view of a `photos` artifact.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

struct Photo {
  FileRef image;                           // JPEG, PNG or WebP by its extension
  std::optional<FileRef> text;             // STEM.txt beside it
  std::optional<FileRef> portrait_text;    // STEM.portrait.txt
  std::optional<FileRef> background_text;  // STEM.background.txt
};

struct PhotoSet {
  std::vector<Photo> items;  // by base name, bytewise

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<PhotoSet> from(const Artifact& artifact);
};

// Whether the name's extension is .jpg, .jpeg, .png or .webp, in any case.
bool is_photo_name(const std::string& name);

// Port type `photos`, an input: a folder (not its sub-folders), one photo, or a .txt file that lists photos, a path a
// line, relative to the file. Photos and their captions count, by base name; all else is ignored. An output of this
// type is a folder with copies.
std::shared_ptr<const PortType> make_photos_type(Files& files);

}  // namespace atelier
