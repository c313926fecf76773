// plan: one digest for a file or a folder as it stands on disk.
#pragma once
#include <filesystem>
#include <optional>

#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

// Of a file, its bytes; of a folder, over the sorted relative names of all files below it and their digests. A file and
// a folder that holds it differ. Empty where nothing is there. `digest` gives the files' digests: remembered_digests(),
// as a rule. Errors: what cannot be read, or is neither file nor folder.
Expected<std::optional<Digest>> tree_digest(Files& files, const std::filesystem::path& path, const FileDigest& digest);

}  // namespace atelier
