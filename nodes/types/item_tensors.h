// types: what the views of item lists share: how an item's tensors are named, taken out and checked.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.h"
#include "base/error.h"

namespace atelier {

// "pixels/007": the tensor `kind` of the item at `index`.
std::string item_tensor_name(std::string_view kind, std::size_t index);

// The tensor of that name, u8 of shape [H, W, channels], or [H, W] where `channels` is 0, H and W at least 1. Fault:
// it is missing or of another dtype or shape; the text says which.
Expected<Tensor> item_tensor(const Artifact& artifact, std::string_view kind, std::size_t index, int channels);

// metadata["items"]. Fault: metadata["type"] is not `type`, or there is no list.
Expected<nlohmann::json> items_of(const Artifact& artifact, std::string_view type);

// One file stem per item, in order: the name without its extension, or the whole name where two items would share one.
std::vector<std::string> file_stems(const std::vector<std::string>& names);

}  // namespace atelier
