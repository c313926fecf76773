// The two ways to count a UNet's layers: diffusers' modules (`down_blocks.1.attentions.0.proj_in`) and the blocks of
// the original layout (`input_blocks.4.1.proj_in`), in which kohya's SDXL LoRAs are numbered.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace atelier::diffusion {

/// The block path of a module path; nothing for a layer that this numbering has no place for. It counts two residual
/// blocks for each resolution, as all published models have.
std::optional<std::string> block_path(std::string_view module_path);

/// The module path of a block path; nothing for what is no block path. Upsamplers are told by their name, since their
/// place depends on whether their block has attention.
std::optional<std::string> module_path(std::string_view block_path);

}  // namespace atelier::diffusion
