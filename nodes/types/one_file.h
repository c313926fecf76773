// types: an input that is one file.
#pragma once
#include <string_view>

#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

// The file at `path` as an artifact of one FileRef. Errors: those of reading it; where there is no file, or none whose
// name ends in `suffix`, a sentence that says what was expected: `what`, as in "a LoRA".
Expected<Artifact> open_one_file(Files& files, const std::filesystem::path& path, const FileDigest& digest,
                                 std::string_view what, std::string_view suffix = {});

}  // namespace atelier
