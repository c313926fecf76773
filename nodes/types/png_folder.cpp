#include "types/png_folder.h"

#include "types/item_tensors.h"

namespace atelier {

Expected<void> write_png_folder(Files& files, const std::filesystem::path& folder,
                                const std::vector<NamedPixels>& pictures) {
  if (auto made = files.make_folders(folder); !made) return made;
  std::vector<std::string> names;
  for (const auto& picture : pictures) names.push_back(picture.name);
  const auto stems = file_stems(names);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const auto png = encode_png(pictures[i].pixels);
    if (!png) return tl::unexpected(png.error());
    if (auto written = write_file(files, folder / (stems[i] + ".png"), *png); !written) return written;
  }
  return {};
}

}  // namespace atelier
