// The corpus of the fuzz targets, replayed with the normal compiler.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "diffusion/safetensors_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size);

namespace atelier::diffusion {
namespace {

std::vector<std::filesystem::path> corpus() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(ATELIER_SOURCE_DIR "/tests/fuzz/corpus/safetensors"))
    files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void replay(const std::string& bytes) {
  ASSERT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), 0);
}

TEST(FuzzCorpus, OfSafetensorsIsReadWhereItIsCalledGoodAndRefusedElsewhere) {
  ASSERT_GE(corpus().size(), 20U);
  for (const auto& path : corpus()) {
    const std::string bytes = bytes_of(path);
    const auto header = parse_safetensors_header(std::as_bytes(std::span(bytes)), path.filename().string());
    const bool good = path.filename().string().starts_with("good");
    EXPECT_EQ(header.has_value(), good) << path.filename() << ": " << (header ? "was read" : header.error().message);
    replay(bytes);
  }
}

TEST(FuzzCorpus, OfSafetensorsSurvivesEveryCutAndEveryFlippedBit) {
  for (const auto& path : corpus()) {
    const std::string bytes = bytes_of(path);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      replay(bytes.substr(0, i));
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = bytes;
        flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
        replay(flipped);
      }
    }
  }
}

}  // namespace
}  // namespace atelier::diffusion
