// The corpora of the fuzz targets, replayed with the normal compiler: each file as it is, cut off and with flipped
// bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "diffusion/safetensors_header.h"

// What each target's LLVMFuzzerTestOneInput() is called here.
extern "C" {
int fuzz_batch(const uint8_t* data, std::size_t size);
int fuzz_cache(const uint8_t* data, std::size_t size);
int fuzz_captions(const uint8_t* data, std::size_t size);
int fuzz_customers(const uint8_t* data, std::size_t size);
int fuzz_images(const uint8_t* data, std::size_t size);
int fuzz_pipeline(const uint8_t* data, std::size_t size);
int fuzz_safetensors(const uint8_t* data, std::size_t size);
}

namespace atelier {
namespace {

using Target = int (*)(const uint8_t*, std::size_t);
const std::map<std::string, Target> targets{{"batch", fuzz_batch},
                                            {"cache", fuzz_cache},
                                            {"customers", fuzz_customers},
                                            {"pipeline", fuzz_pipeline},
#ifdef ATELIER_WITH_VISION
                                            {"captions", fuzz_captions},
                                            {"images", fuzz_images},
#endif
                                            {"safetensors", fuzz_safetensors}};

const std::filesystem::path kCorpus = ATELIER_SOURCE_DIR "/tests/fuzz/corpus";

// More copies of one file tell little more: of a long file not every byte is cut at and flipped.
constexpr std::size_t kMostPlaces = 300;

std::vector<std::filesystem::path> entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class FuzzCorpus : public testing::TestWithParam<std::string> {
 protected:
  void replay(const std::string& bytes) const {
    ASSERT_EQ(targets.at(GetParam())(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), 0);
  }
};

TEST_P(FuzzCorpus, IsReplayedWithoutABrokenPromise) {
  const auto files = entries(kCorpus / GetParam());
  ASSERT_GE(files.size(), 5U);
  for (const auto& path : files) {
    SCOPED_TRACE(path.filename());
    replay(bytes_of(path));
  }
}

TEST_P(FuzzCorpus, SurvivesCutsAndFlippedBits) {
  for (const auto& path : entries(kCorpus / GetParam())) {
    const std::string bytes = bytes_of(path);
    const std::size_t step = 1 + bytes.size() / kMostPlaces;
    for (std::size_t i = 0; i < bytes.size(); i += step) {
      replay(bytes.substr(0, i));
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = bytes;
        flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
        replay(flipped);
      }
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, target] : targets) all.push_back(name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Of, FuzzCorpus, testing::ValuesIn(names()), [](const auto& target) { return target.param; });

TEST(FuzzTargets, AreAllReplayed) {
  std::vector<std::string> sources;
  for (const auto& path : entries(ATELIER_SOURCE_DIR "/tests/fuzz"))
    if (path.filename().string().ends_with("_fuzz.cpp")) {
      const std::string name = path.stem().string();
      sources.push_back(name.substr(0, name.size() - std::string("_fuzz").size()));
    }
  EXPECT_THAT(sources, testing::IsSupersetOf(names()));
#ifdef ATELIER_WITH_VISION
  EXPECT_EQ(sources, names());
#endif
}

TEST(SafetensorsCorpus, IsReadWhereItIsCalledGoodAndRefusedElsewhere) {
  for (const auto& path : entries(kCorpus / "safetensors")) {
    const std::string bytes = bytes_of(path);
    const auto header = diffusion::parse_safetensors_header(std::as_bytes(std::span(bytes)), path.filename().string());
    const bool good = path.filename().string().starts_with("good");
    EXPECT_EQ(header.has_value(), good) << path.filename() << ": " << (header ? "was read" : header.error().message);
  }
}

}  // namespace
}  // namespace atelier
