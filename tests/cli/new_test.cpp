// `atelier new`: what it writes is right as it stands, and nothing is written over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "process.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using ::testing::StartsWith;

TEST(New, APipelineIsWithoutMistakes) {
  const TemporaryFolder folder;
  const auto made = atelier({"new", "pipeline", "mine/first"}, folder.path());
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(made.out, "mine/first/pipeline.yaml\n");
  const auto checked = atelier({"validate", "mine/first/pipeline.yaml"}, folder.path());
  EXPECT_EQ(checked.exit_code, 0);
  EXPECT_EQ(checked.out, "mine/first/pipeline.yaml: a pipeline of 4 steps, without mistakes\n") << checked.err;
}

TEST(New, ABatchComesWithItsPipelineAndIsWithoutMistakes) {
  const TemporaryFolder folder;
  const auto made = atelier({"new", "batch", "mine"}, folder.path());
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(made.out, "mine/pipeline.yaml\nmine/batch.yaml\nNow put photos into mine/customers/anna.\n");
  const auto checked = atelier({"validate", "mine/batch.yaml"}, folder.path());
  EXPECT_EQ(checked.out, "mine/batch.yaml: 1 customer, pipeline 'masks' of 4 steps, without mistakes\n") << checked.err;
}

TEST(New, EditorsFindTheSchemasOfBoth) {
  const TemporaryFolder folder;
  atelier({"new", "batch", "mine"}, folder.path());
  for (const std::string kind : {"pipeline", "batch"}) {
    const std::string text = read_file(folder.path() / "mine" / (kind + ".yaml"));
    const std::string begin = "# yaml-language-server: $schema=";
    ASSERT_THAT(text, StartsWith(begin));
    const fs::path schema = text.substr(begin.size(), text.find('\n') - begin.size());
    EXPECT_EQ(schema.filename(), kind + ".schema.json");
    EXPECT_TRUE(fs::is_regular_file(schema)) << schema;
  }
}

TEST(New, ABatchIsAddedToThePipelineThatWasWrittenBefore) {
  const TemporaryFolder folder;
  atelier({"new", "pipeline", "mine"}, folder.path());
  const auto made = atelier({"new", "batch", "mine"}, folder.path());
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(made.out, "mine/batch.yaml\nNow put photos into mine/customers/anna.\n");
}

void put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

TEST(New, NothingIsWrittenOver) {
  const TemporaryFolder folder;
  put(folder.path() / "mine/pipeline.yaml", "my own");
  put(folder.path() / "yours/batch.yaml", "your own");
  const auto pipeline = atelier({"new", "pipeline", "mine"}, folder.path());
  EXPECT_EQ(pipeline.exit_code, 2);
  EXPECT_EQ(pipeline.err,
            "atelier new pipeline: mine/pipeline.yaml: is there already; give another folder, or remove it first\n");
  const auto batch = atelier({"new", "batch", "yours"}, folder.path());
  EXPECT_EQ(batch.exit_code, 2);
  EXPECT_EQ(batch.err,
            "atelier new batch: yours/batch.yaml: is there already; give another folder, or remove it first\n");
  EXPECT_EQ(read_file(folder.path() / "mine/pipeline.yaml"), "my own");
  EXPECT_EQ(read_file(folder.path() / "yours/batch.yaml"), "your own");
  EXPECT_FALSE(fs::exists(folder.path() / "yours/pipeline.yaml"));
}

TEST(New, ABatchIsNotWrittenBesideAnotherPipeline) {
  const TemporaryFolder folder;
  put(folder.path() / "mine/pipeline.yaml", "my own");
  const auto made = atelier({"new", "batch", "mine"}, folder.path());
  EXPECT_EQ(made.exit_code, 2);
  EXPECT_EQ(made.err,
            "atelier new batch: mine/pipeline.yaml: is there already; give another folder, or remove it first\n");
  EXPECT_FALSE(fs::exists(folder.path() / "mine/batch.yaml"));
  EXPECT_FALSE(fs::exists(folder.path() / "mine/customers"));
}

TEST(New, AFolderThatIsAFileIsTold) {
  const TemporaryFolder folder;
  put(folder.path() / "mine", "a file");
  const auto made = atelier({"new", "pipeline", "mine"}, folder.path());
  EXPECT_EQ(made.exit_code, 2);
  EXPECT_EQ(made.out, "");
  EXPECT_THAT(made.err, StartsWith("atelier new pipeline: "));
}

}  // namespace
}  // namespace atelier::test
