// The examples as a reader meets them: the commands of each README, typed in the repository's root, succeed and leave
// what it names. An indented line of a README is a command or something that is left, a block marked `text` is what is
// printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <set>
#include <sstream>

#include "process.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

const fs::path kExamples = fs::path(ATELIER_SOURCE_DIR) / "examples";
constexpr std::string_view kProgram = "build/release/cli/atelier ";
constexpr std::string_view kScripts = "examples/";

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::istringstream stream(read_file(file));
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

struct Readme {
  std::vector<std::string> commands;
  std::vector<std::string> left;  // paths below out/EXAMPLE
  std::vector<std::string> printed;
};

Readme readme_of(const std::string& example) {
  Readme readme;
  bool fenced = false, printed = false;
  for (const std::string& line : lines_of(kExamples / example / "README.md")) {
    if (line.starts_with("```")) {
      fenced = !fenced;
      printed = fenced && line == "```text";
    } else if (printed) {
      readme.printed.push_back(line);
    } else if (!fenced && line.starts_with("    ")) {
      const std::string text = line.substr(4);
      if (text.starts_with(kProgram) || text.starts_with(kScripts))
        readme.commands.push_back(text);
      else
        readme.left.push_back(text.substr(0, text.find(' ')));
    }
  }
  return readme;
}

// `command` with the built program, and with folders in `folder` in place of out/EXAMPLE and of the user's cache.
std::string in_folder(std::string command, const std::string& example, const fs::path& folder) {
  const std::string cache = " --cache " + (folder / "cache").string();
  if (command.starts_with(kScripts)) return command + " --out " + (folder / example).string() + cache;
  if (command.find("/batch.yaml") != std::string::npos) command += cache;
  command.replace(0, kProgram.size(), atelier_program().string() + " ");
  const std::string out = " out/" + example;
  for (auto at = command.find(out); at != std::string::npos; at = command.find(out))
    command.replace(at, out.size(), " " + (folder / example).string());
  return command;
}

// What a shell in the repository's root makes of it.
Finished shell(const std::string& command, const fs::path& log) {
  const std::string line = "cd " + std::string(ATELIER_SOURCE_DIR) + " && ATELIER=" + atelier_program().string() + " " +
                           command + " >" + log.string() + " 2>&1";
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(log), ""};
}

// The folders with a README that the tests can run: base takes hours, night and tiny have tests of their own.
std::vector<std::string> examples() {
  const std::set<std::string> others{"base", "night", "tiny"};
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kExamples))
    if (entry.is_directory() && !others.contains(entry.path().filename())) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

// All batches below examples/ but that of base, whose inputs examples/base/train makes.
std::vector<std::string> batches() {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(kExamples)) {
    const std::string name = entry.path().lexically_relative(kExamples);
    if (entry.path().filename() == "batch.yaml" && name != "base/batch.yaml") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string as_test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace_if(name, [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}

using Example = testing::TestWithParam<std::string>;

TEST_P(Example, DoesWhatItsReadmeSays) {
  const TemporaryFolder folder;
  const Readme readme = readme_of(GetParam());
  ASSERT_FALSE(readme.commands.empty());
  ASSERT_FALSE(readme.left.empty());
  std::string printed;
  for (const std::string& command : readme.commands) {
    const auto finished = shell(in_folder(command, GetParam(), folder.path()), folder.path() / "log");
    ASSERT_EQ(finished.exit_code, 0) << command << "\n" << finished.out;
    printed += finished.out;
  }
  for (const std::string& path : readme.left) {
    const fs::path left = folder.path() / GetParam() / path;
    EXPECT_TRUE(path.ends_with('/') ? fs::is_directory(left) && !fs::is_empty(left) : fs::is_regular_file(left))
        << path;
  }
  for (const std::string& text : readme.printed) EXPECT_THAT(printed, HasSubstr(text));
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, Example, testing::ValuesIn(examples()), as_test_name);

using ExampleInTheTable = testing::TestWithParam<std::string>;

TEST_P(ExampleInTheTable, HasALineWithTheCommandOfItsReadme) {
  const Readme readme = readme_of(GetParam());
  ASSERT_FALSE(readme.commands.empty());
  EXPECT_THAT(lines_of(kExamples / "README.md"),
              Contains(testing::AllOf(testing::StartsWith("| [" + GetParam() + "](" + GetParam() + ") |"),
                                      testing::EndsWith("| `" + readme.commands.front() + "` |"))));
}

INSTANTIATE_TEST_SUITE_P(Each, ExampleInTheTable, testing::ValuesIn(examples()), as_test_name);

using ExampleBatch = testing::TestWithParam<std::string>;

TEST_P(ExampleBatch, HasNoMistakesAndIsDrawn) {
  std::vector<std::string> validate{"validate", (kExamples / GetParam()).string()};
  if (GetParam().starts_with("exec/")) validate.push_back("--allow-exec");
  const auto finished = atelier(validate);
  EXPECT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  const auto drawn = atelier({"graph", (kExamples / GetParam()).string()});
  EXPECT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_TRUE(drawn.out.starts_with("digraph ")) << drawn.out;
}

INSTANTIATE_TEST_SUITE_P(Each, ExampleBatch, testing::ValuesIn(batches()), as_test_name);

}  // namespace
}  // namespace atelier::test
