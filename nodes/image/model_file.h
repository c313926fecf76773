// image: the network files that ship with the program.
#pragma once
#include <filesystem>
#include <string_view>

#include "base/digest.h"
#include "base/files.h"

namespace atelier {

struct ModelFile {
  std::string_view path;    // below the models folder
  std::string_view sha256;  // of the file the nodes' versions were made with: results depend on it, keys do not name it
  Digest digest() const { return Digest::from_hex(sha256).value_or(Digest{}); }
};

// The path of the file, after its bytes were compared with `file.sha256`. Fault: missing, or another file.
Expected<std::filesystem::path> verified(Files& files, const std::filesystem::path& models, const ModelFile& file);

}  // namespace atelier
