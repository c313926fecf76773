// cache: how a person opens a content file with other tools: lines for a shell. The 512 bytes before the HDF5
// superblock (content_seal.h) trouble neither: both look for it at 0, 512, 1024 …
#pragma once
#include <filesystem>
#include <string>

namespace atelier {

// Lists what is in the file: groups, types, shapes.
std::string h5dump_line(const std::filesystem::path& file);

// Prints the values of a tensor; needs a Python with h5py.
std::string h5py_line(const std::filesystem::path& file, const std::string& port, const std::string& tensor);

}  // namespace atelier
