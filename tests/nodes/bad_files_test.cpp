// The wrong pipelines and batches of tests/bad, as their README says: what is told of each is pinned whole, against the
// nodes that ship. Paths in the texts are relative to that folder, where the tests run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "nodes/register_nodes.h"
#include "pipeline/load.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = ATELIER_SOURCE_DIR "/tests/bad";

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// The settings in a first line such as "# --set size=128 --set weights=[0.5]".
Settings settings_of(const std::string& text) {
  Settings settings;
  std::istringstream words(text.substr(0, text.find('\n')));
  std::string word;
  if (!(words >> word) || word != "#") return {};
  while (words >> word && word == "--set" && words >> word)
    settings.emplace_back(word.substr(0, word.find('=')), word.substr(word.find('=') + 1));
  return settings;
}

// A line for each mistake; "" where there is none.
std::string told(const fs::path& file) {
  const auto files = make_posix_files();
  const NodeRegistry registry = make_registry({*files, ATELIER_SOURCE_DIR "/models", ATELIER_SOURCE_DIR "/pipelines"});
  Mistakes mistakes;
  if (is_pipeline(*files, file)) {
    const auto pipeline = load_pipeline(*files, file, registry);
    if (!pipeline) mistakes = pipeline.error();
  } else {
    const auto batch = load_batch(*files, file, registry, settings_of(text_of(file)));
    if (!batch) mistakes = batch.error();
  }
  std::string lines;
  for (const auto& mistake : mistakes) lines += mistake.text() + "\n";
  return lines;
}

// The files of tests/bad that end so, without the ending.
std::vector<std::string> names(const std::string& ending) {
  std::vector<std::string> all;
  for (const auto& entry : fs::directory_iterator(kFolder))
    if (entry.path().extension() == ending) all.push_back(entry.path().stem());
  std::ranges::sort(all);
  return all;
}

class BadFile : public testing::TestWithParam<std::string> {
 protected:
  BadFile() { fs::current_path(kFolder); }
  ~BadFile() override { fs::current_path(before_); }

 private:
  fs::path before_ = fs::current_path();
};

TEST_P(BadFile, IsToldAsExpected) {
  const std::string expected = text_of(GetParam() + ".expected");
  ASSERT_NE(expected, "");
  EXPECT_EQ(told(GetParam() + ".yaml"), expected);
}

std::string as_test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Each, BadFile, testing::ValuesIn(names(".yaml")), as_test_name);

TEST(BadFiles, AreManyAndEachHasItsText) {
  EXPECT_EQ(names(".yaml"), names(".expected"));
  EXPECT_GE(names(".yaml").size(), 60u);
}

// So that what is told of a wrong file is told of it and not of what it stands on.
TEST(BadFiles, StandOnWhatIsRight) {
  fs::current_path(kFolder);
  EXPECT_EQ(told("world/pipeline.yaml"), "");
  EXPECT_EQ(told("world/batch.yaml"), "");
}

}  // namespace
}  // namespace atelier
