// portrait: the node `segment`: which pixels are the portrait and which the background.
#pragma once
#include <filesystem>
#include <memory>

#include "base/files.h"
#include "graph/node.h"

namespace atelier {

// `files` outlives the node; `models` is the folder with the networks that ship.
std::unique_ptr<const Node> make_segment(Files& files, std::filesystem::path models);

}  // namespace atelier
