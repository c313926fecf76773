#include "render/picture_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/temporary_folder.h"

namespace atelier::render {
namespace {

class PictureFolder : public testing::Test {
 protected:
  TemporaryFolder folder;
  std::unique_ptr<Files> files = make_posix_files();

  FolderPlan plan(int threads) const {
    FolderPlan plan;
    plan.first = 7;
    plan.count = 3;
    plan.size_px = 32;
    plan.threads = threads;
    plan.picture = [](std::uint64_t i) { return random_picture(1, i); };
    return plan;
  }
  static std::string text(const std::filesystem::path& path) {
    std::stringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
};

TEST_F(PictureFolder, HoldsPicturesCaptionsAndAttributesByNumber) {
  FolderPlan three = plan(2);
  three.attributes = folder.path() / "set" / "attributes.jsonl";
  ASSERT_TRUE(write_pictures(*files, folder.path() / "set", three).has_value());
  EXPECT_EQ(text(folder.path() / "set" / "000008.txt"), random_picture(1, 8).caption + "\n");
  std::istringstream lines(text(three.attributes));
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) names.push_back(nlohmann::json::parse(line).at("file"));
  EXPECT_THAT(names, testing::ElementsAre("000007.png", "000008.png", "000009.png"));
}

TEST_F(PictureFolder, HasTheSameBytesWhateverTheThreads) {
  ASSERT_TRUE(write_pictures(*files, folder.path() / "one", plan(1)).has_value());
  ASSERT_TRUE(write_pictures(*files, folder.path() / "three", plan(3)).has_value());
  for (const auto* name : {"000007.png", "000008.png", "000009.png"})
    EXPECT_EQ(text(folder.path() / "one" / name), text(folder.path() / "three" / name));
}

TEST_F(PictureFolder, IsRefusedWhereItIsNotEmpty) {
  ASSERT_TRUE(write_pictures(*files, folder.path() / "set", plan(1)).has_value());
  EXPECT_EQ(write_pictures(*files, folder.path() / "set", plan(1)).error().message,
            (folder.path() / "set").string() + " is not empty; remove it or name another folder");
}

}  // namespace
}  // namespace atelier::render
