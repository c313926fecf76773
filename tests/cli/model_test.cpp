// `atelier model info` and `atelier model convert`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "process.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

class ModelCommand : public testing::Test {
 protected:
  TemporaryFolder folder;
  const fs::path tiny = ATELIER_SOURCE_DIR "/tests/golden/sd1_tiny/model";
  const fs::path file = folder.path() / "tiny.safetensors";
};

TEST_F(ModelCommand, InfoTellsWhatABaseIs) {
  const auto told = atelier({"model", "info", tiny.string()});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out,
              StartsWith(tiny.string() + ": Stable Diffusion 1.x, a diffusers folder, predicts epsilon\n  unet   "));
  EXPECT_THAT(told.out, HasSubstr("weights  F16   widths 16, "));
}

TEST_F(ModelCommand, InfoIsJsonWhenAsked) {
  const auto told = atelier({"model", "info", "--json", tiny.string()});
  const auto json = nlohmann::json::parse(told.out);
  EXPECT_EQ(json["layout"], "folder");
  EXPECT_EQ(json["prediction_type"], "epsilon");
  EXPECT_EQ(json["parts"]["unet"]["dtype"], "F16");
  EXPECT_GT(json["parts"]["vae"]["parameters"], 0);
}

TEST_F(ModelCommand, ConvertsToAFileAndBack) {
  const auto made = atelier({"model", "convert", tiny.string(), file.string()});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(made.out, file.string() + ": Stable Diffusion 1.x as one file in the original layout\n");
  const auto plain = atelier({"model", "info", file.string()});
  EXPECT_EQ(plain.exit_code, 2);
  EXPECT_THAT(plain.err, HasSubstr("how many heads it has is not known; give its configuration"));
  const auto back = folder.path() / "back";
  const auto again = atelier(
      {"model", "convert", "--config", tiny.string(), file.string(), back.string() + "/", "--dtype", "float16"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  const std::string unet = "unet/diffusion_pytorch_model.safetensors";
  EXPECT_EQ(read_file(back / unet).size(), read_file(tiny / unet).size());
}

TEST_F(ModelCommand, ConvertSplitsLargeFilesIntoShardsThatAreTheSameModel) {
  const auto shards = folder.path() / "shards";
  const auto made = atelier({"model", "convert", tiny.string(), shards.string(), "--max-shard-size", "300KB"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(shards)) {
    if (entry.path().extension() != ".safetensors") continue;
    ++files;
    EXPECT_LE(entry.file_size(), 300'000U) << entry.path();
  }
  EXPECT_GT(files, 3U);
  EXPECT_TRUE(fs::exists(shards / "unet/diffusion_pytorch_model.safetensors.index.json"));
  EXPECT_FALSE(fs::exists(shards / "unet/diffusion_pytorch_model.safetensors"));
  const auto one = folder.path() / "one.safetensors";
  ASSERT_EQ(atelier({"model", "convert", tiny.string(), file.string()}).exit_code, 0);
  const auto back = atelier({"model", "convert", shards.string(), one.string()});
  ASSERT_EQ(back.exit_code, 0) << back.err;
  EXPECT_EQ(fs::file_size(one), fs::file_size(file));
}

TEST_F(ModelCommand, ConvertTellsWhatCannotBeShards) {
  const auto small =
      atelier({"model", "convert", tiny.string(), (folder.path() / "x").string(), "--max-shard-size", "1KB"});
  EXPECT_EQ(small.exit_code, 2);
  EXPECT_THAT(small.err, HasSubstr("more than a shard may have (1000)"));
  EXPECT_FALSE(fs::exists(folder.path() / "x"));
  const auto single = atelier({"model", "convert", tiny.string(), file.string(), "--max-shard-size", "1MB"});
  EXPECT_EQ(single.exit_code, 2);
  EXPECT_THAT(single.err, HasSubstr("--max-shard-size is of a folder"));
}

TEST_F(ModelCommand, ConvertLeavesWhatIsThereAlone) {
  fs::create_directories(file);
  const auto told = atelier({"model", "convert", tiny.string(), file.string()});
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_EQ(told.err, "atelier model convert: " + file.string() + ": is there already\n");
}

}  // namespace
}  // namespace atelier::test
