#include "diffusion/sequential_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// The parameter is the length: small files, and large ones that end in the middle of a block and at its end.
class SequentialFileTest : public testing::TestWithParam<std::size_t> {
 protected:
  std::string content() const {
    std::string bytes(GetParam(), '\0');
    uint32_t state = 1;
    for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    return bytes;
  }

  test::TemporaryFolder folder;
};
INSTANTIATE_TEST_SUITE_P(Lengths, SequentialFileTest,
                         testing::Values(std::size_t{1}, 5000, 64 * kMiB, 64 * kMiB + 1, 70 * kMiB - 4097));

TEST_P(SequentialFileTest, HoldsWhatWasAppendedUnderItsBeginning) {
  const std::string wanted = content();
  const auto path = folder / "file";
  test::put_bytes(path, "what was there before");
  auto file = SequentialFile::create(path, wanted.size());
  ASSERT_TRUE(file) << file.error().message;
  const std::string unknown(std::min<std::size_t>(wanted.size(), 300), '?');
  ASSERT_TRUE((*file)->append(std::as_bytes(std::span(unknown))));
  std::size_t at = unknown.size();
  for (std::size_t piece = 1; at < wanted.size(); piece = piece * 3 + 1) {
    const std::size_t count = std::min(piece, wanted.size() - at);
    ASSERT_TRUE((*file)->append(std::as_bytes(std::span(wanted).subspan(at, count))));
    at += count;
  }
  ASSERT_TRUE((*file)->finish(std::as_bytes(std::span(wanted).first(unknown.size()))));
  EXPECT_TRUE(test::bytes_of(path) == wanted);
}

TEST_P(SequentialFileTest, SaysWhatTheDiskSays) {
  const std::string bytes = content();
  auto full = SequentialFile::create("/dev/full", bytes.size());
  if (full) {
    Result<void> done = (*full)->append(std::as_bytes(std::span(bytes)));
    if (done) done = (*full)->finish({});
    EXPECT_EQ(done.error().message, "/dev/full: cannot be written: No space left on device");
  }
  EXPECT_EQ(SequentialFile::create(folder / "none/file", bytes.size()).error().message,
            (folder / "none/file").string() + ": cannot be written: No such file or directory");
}

}  // namespace
}  // namespace atelier::diffusion
