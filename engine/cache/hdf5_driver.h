// cache: a virtual file driver, through which libhdf5 reads and writes memory and never a file. What it writes is the
// structure of a file (superblock, groups, object headers): a few kilobytes, kept in pages. The values of the datasets
// never pass through it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "cache/hdf5_handle.h"

namespace atelier {

// Bytes that libhdf5 wrote at the addresses it chose; zero where it wrote nothing.
class SparseBytes {
 public:
  void write(std::uint64_t address, std::span<const std::byte> bytes);
  void read(std::uint64_t address, std::span<std::byte> out) const;

 private:
  static constexpr std::size_t kPageBytes = 4096;
  std::map<std::uint64_t, std::vector<std::byte>> pages_;
};

// What the driver works on: bytes to read, or pages to fill. Outlives the HDF5 file opened on it.
struct Hdf5Medium {
  std::span<const std::byte> readable;
  SparseBytes* writable = nullptr;
  std::uint64_t end = 0;  // of what was allocated: the size of the file
};

// A file access property list on `medium`; to be called within an Hdf5Session. Invalid where libhdf5 refuses.
Hdf5Handle access_through(Hdf5Medium& medium);

}  // namespace atelier
