// types: writing pictures as a folder of PNGs.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "types/png.h"

namespace atelier {

struct NamedPixels {
  std::string name;  // of the image: "01.jpg" is written as 01.png
  Tensor pixels;     // as encode_png() takes them
};

// Makes `folder` and writes a PNG for each picture, named by file_stems().
Expected<void> write_png_folder(Files& files, const std::filesystem::path& folder,
                                const std::vector<NamedPixels>& pictures);

}  // namespace atelier
