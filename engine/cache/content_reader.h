// cache: content files as artifacts. What is read here has been verified: see content_seal.h.
#pragma once
#include <memory>
#include <optional>

#include "artifact/store.h"
#include "base/files.h"

namespace atelier {

// The artifacts of a content file. Tensors refer to `file` without copying and keep it alive. Empty where the file is
// not laid out as content_image.h says.
std::optional<Outputs> read_content(const std::shared_ptr<const FileBytes>& file);

// The metadata of one port, without looking at its tensors. Empty as above, or where there is no such port.
std::optional<nlohmann::json> read_metadata(const FileBytes& file, const std::string& port);

}  // namespace atelier
