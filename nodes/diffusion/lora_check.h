// Everything that is wrong with a LoRA file, not only the first thing.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "diffusion/base_model.h"

namespace atelier::diffusion {

/// A sentence for each fault of the file: NaN and infinite numbers by tensor; keys that are unknown, doubled or without
/// their partner; shapes that do not fit together; with a base, and where the file itself is sound, layers that it does
/// not have or has in another shape, and another architecture. Empty: nothing is wrong. An Error where there is nothing
/// to check: no file, no safetensors.
Result<std::vector<std::string>> check_lora(const std::filesystem::path& path, const BaseModel* base = nullptr);

}  // namespace atelier::diffusion
