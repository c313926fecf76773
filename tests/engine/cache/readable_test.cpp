// Content files are read by other tools: h5dump and h5py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>

#include "cache/hdf5_store.h"
#include "cache/open_with.h"
#include "random_artifact.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

using ::testing::HasSubstr;

struct Ended {
  int status = 0;
  std::string output;
};

Ended run(const std::string& command) {
  Ended ended;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  for (std::size_t n; (n = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) ended.output.append(buffer.data(), n);
  ended.status = ::pclose(pipe);
  return ended;
}

// The upper half of a float is its bfloat16 where the lower half is zero.
Tensor bfloat16_of(const std::vector<float>& values) {
  std::vector<std::uint16_t> halves;
  for (const float value : values)
    halves.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
  return Tensor::copy_of(DType::bf16, {static_cast<std::int64_t>(values.size())}, std::as_bytes(std::span(halves)));
}

Tensor float16_of(const std::vector<std::uint16_t>& bits) {
  return Tensor::copy_of(DType::f16, {static_cast<std::int64_t>(bits.size())}, std::as_bytes(std::span(bits)));
}

// One file with every dtype, as the tools are to see it.
class WrittenContent {
 public:
  explicit WrittenContent(const std::string& below = "") {
    Artifact lora;
    lora.metadata = {{"rank", 8},
                     {"note", std::string(100'000, 'x') + "Gr\xc3\xb6\xc3\x9f"
                                                          "e"}};
    lora.tensors["bf16"] = bfloat16_of({1.5f, -2.0f, 3.0e38f});
    lora.tensors["f16"] = float16_of({0x3c00, 0xc000, 0x3555});  // 1, -2, 0.33325
    lora.tensors["f32"] = Tensor::of<float>({2, 3}, std::vector<float>{0, 1, 2, 3, 4, 5});
    lora.tensors["f64"] = Tensor::of<double>({}, std::vector<double>{0.1});
    lora.tensors["i32"] = Tensor::of<std::int32_t>({2}, std::vector<std::int32_t>{-1, 2});
    lora.tensors["i64"] = Tensor::of<std::int64_t>({1}, std::vector<std::int64_t>{INT64_MIN});
    lora.tensors["u8/\xc3\xa9"] = Tensor::of<std::uint8_t>({3}, std::vector<std::uint8_t>{0, 128, 255});
    lora.tensors["empty"] = Tensor::of<float>({0, 4}, std::vector<float>{});
    const auto files = make_posix_files();
    const auto store = Hdf5Store::open(*files, folder_.path() / below, [](const std::string&) {}).value();
    EXPECT_TRUE(store->put(key_of(1), {{"lora", lora}}, {{"device", "cpu:0"}}));
    path_ = store->content_path(key_of(1)).string();
  }
  const std::string& path() const { return path_; }

 private:
  TemporaryFolder folder_;
  std::string path_;
};

TEST(ReadableTest, H5dumpShowsGroupsValuesAndMetadata) {
  if (run("h5dump --version").status != 0) GTEST_SKIP() << "h5dump is not installed (Debian: hdf5-tools)";
  const WrittenContent content;
  const Ended dump =
      run("h5dump -d /outputs/lora/tensors/bf16 -d /outputs/lora/tensors/f32 -d /provenance '" + content.path() + "'");
  EXPECT_EQ(dump.status, 0) << dump.output;
  EXPECT_THAT(dump.output, HasSubstr("(0): 1.5, -2, 2.99076e+38"));
  EXPECT_THAT(dump.output, HasSubstr("(0,0): 0, 1, 2,"));
  EXPECT_THAT(dump.output, HasSubstr(R"({"device":"cpu:0"})"));
}

TEST(ReadableTest, TheLineThatAPersonIsGivenForH5dumpWorks) {
  if (run("h5dump --version").status != 0) GTEST_SKIP() << "h5dump is not installed (Debian: hdf5-tools)";
  const WrittenContent content("it's $HOME");
  const Ended dump = run(h5dump_line(content.path()));
  EXPECT_EQ(dump.status, 0) << dump.output;
  EXPECT_THAT(dump.output, HasSubstr("DATASET \"f32\""));
  EXPECT_THAT(dump.output, HasSubstr("DATASPACE  SIMPLE { ( 2, 3 ) / ( 2, 3 ) }"));
}

TEST(PythonReadableTest, TheLineThatAPersonIsGivenForH5pyWorks) {
  const char* venv = std::getenv("ATELIER_VENV");
  if (!venv) GTEST_SKIP() << "ATELIER_VENV names no Python environment with h5py";
  const std::string path = "PATH='" + std::string(venv) + "/bin':\"$PATH\" ";
  if (run(path + "python3 -c 'import h5py'").status != 0) GTEST_SKIP() << "the environment ATELIER_VENV has no h5py";
  const WrittenContent content("it's $HOME");
  EXPECT_EQ(run(path + h5py_line(content.path(), "lora", "f32")).output, "[[0. 1. 2.]\n [3. 4. 5.]]\n");
  EXPECT_EQ(run(path + h5py_line(content.path(), "lora", "u8/\xc3\xa9")).output, "[  0 128 255]\n");
}

TEST(PythonReadableTest, H5pyReadsEveryDtypeAndTheMetadata) {
  const char* venv = std::getenv("ATELIER_VENV");
  if (!venv) GTEST_SKIP() << "ATELIER_VENV names no Python environment with h5py";
  const std::string python = "'" + std::string(venv) + "/bin/python'";
  if (run(python + " -c 'import h5py'").status != 0) GTEST_SKIP() << "the environment ATELIER_VENV has no h5py";
  const WrittenContent content;
  const Ended check =
      run(python + " '" ATELIER_SOURCE_DIR "/tests/engine/cache/read_content.py' '" + content.path() + "'");
  EXPECT_EQ(check.status, 0) << check.output;
}

}  // namespace
}  // namespace atelier
