// render: sets of pictures on the disk.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "render/picture.h"

namespace atelier::render {

struct FolderPlan {
  std::uint64_t first = 0, count = 0;
  int size_px = 128;
  int threads = 2;
  bool captions = true;              // NNNNNN.txt beside each NNNNNN.png
  std::filesystem::path attributes;  // a file: one JSON line a picture, in order; empty: none
  std::function<Picture(std::uint64_t index)> picture;
};

// Writes the pictures NNNNNN.png, each with its caption as the PNG's neighbour. Errors: the folder is not empty; what
// the disk says.
Expected<void> write_pictures(Files& files, const std::filesystem::path& folder, const FolderPlan& plan);

}  // namespace atelier::render
