// types: photos as they came: files on disk, by base name and digest: the typed view of a `photos` artifact.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/port_type.h"
#include "base/files.h"
#include "types/photo_folder.h"

namespace atelier {

struct Photo {
  FileRef image;                           // JPEG, PNG or WebP by its extension
  std::optional<FileRef> text;             // STEM.txt beside it
  std::optional<FileRef> portrait_text;    // STEM.portrait.txt
  std::optional<FileRef> background_text;  // STEM.background.txt
  std::optional<PhotoFolder> folder;       // what its folder's name says, where it says something
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
//
// Kohya's folders: where a folder itself holds no photo, those of its sub-folders count whose names are in kohya's
// naming (photo_folder.h), as in a training folder of kohya's tools; a folder that is given itself may have such a name
// too, unless it is a customer's, whose name is an id. What the names say belongs to the input's digest. Photos of two
// sub-folders that would share a stem have their folder's name put before theirs.
std::shared_ptr<const PortType> make_photos_type(Files& files);

}  // namespace atelier
