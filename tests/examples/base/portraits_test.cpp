// The `portraits` program, as a shell sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "render/caption.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

class Portraits : public testing::Test {
 protected:
  TemporaryFolder folder;

  struct Ran {
    int code;
    std::string out, err;
  };
  std::filesystem::path at(const std::string& name) const { return folder.path() / name; }
  static std::string text(const std::filesystem::path& path) {
    std::stringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  Ran run(const std::string& arguments) const {
    const std::string command = std::string(ATELIER_BINARY_DIR "/examples/base/portraits ") + arguments + " >" +
                                at("stdout").string() + " 2>" + at("stderr").string();
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), text(at("stdout")), text(at("stderr"))};
  }
};

TEST_F(Portraits, PrintTheWordsOfCaptionsOneALine) {
  std::string expected;
  for (const auto& word : render::caption_words()) expected += word + "\n";
  EXPECT_EQ(run("words").out, expected);
}

TEST_F(Portraits, MakeTheSamePictureOfANumberWhereverASetBegins) {
  ASSERT_EQ(run("set --count 4 --seed 5 --size 32 " + at("a").string()).code, 0);
  ASSERT_EQ(run("set --count 1 --first 3 --seed 5 --size 32 " + at("b").string()).code, 0);
  EXPECT_EQ(text(at("a") / "000003.png"), text(at("b") / "000003.png"));
  EXPECT_EQ(text(at("a") / "000003.txt"), text(at("b") / "000003.txt"));
}

TEST_F(Portraits, TellOfACustomerBesideTheFolderOfPhotos) {
  ASSERT_EQ(
      run("customer --person 2 --object 'blue umbrella' --scene beach --count 2 --size 32 " + at("c").string() + "/")
          .code,
      0);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(at("c"))) names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre("000000.png", "000001.png"));
  EXPECT_EQ(nlohmann::json::parse(text(at("c.json"))).at("shots").at(1).at("object"), "blue umbrella");
}

TEST_F(Portraits, RefuseAFolderThatIsNotEmpty) {
  ASSERT_EQ(run("style --style ink --count 1 --size 32 " + at("d").string()).code, 0);
  const Ran again = run("style --style ink --count 1 --size 32 " + at("d").string());
  EXPECT_EQ(again.code, 2);
  EXPECT_EQ(again.err, "portraits: " + at("d").string() + " is not empty; remove it or name another folder\n");
}

TEST_F(Portraits, SayWhatWasExpectedOfAWrongWord) {
  const Ran style = run("style --style neon " + at("e").string());
  EXPECT_EQ(style.code, 2);
  EXPECT_EQ(style.err, "portraits: --style is one of photo, ink, poster, oil, and not 'neon'\n");
  const Ran object = run("customer --person 1 --object 'red car' " + at("e").string());
  EXPECT_EQ(object.code, 2);
  EXPECT_EQ(
      object.err,
      "portraits: --object is a colour (red, orange, yellow, green, blue, purple) and a thing (balloon, umbrella, "
      "lamp, clock, kite, vase, flag, flower), as in \"red balloon\", and not 'red car'\n");
  EXPECT_FALSE(std::filesystem::exists(at("e")));
}

TEST_F(Portraits, RefuseWrongArguments) {
  EXPECT_EQ(run("").code, 2);
  EXPECT_EQ(run("set --count 0 " + at("f").string()).code, 2);
  EXPECT_EQ(run("set").code, 2);
}

}  // namespace
}  // namespace atelier
