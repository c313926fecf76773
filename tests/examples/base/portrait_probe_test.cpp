// The `portrait_probe` program, as a shell sees it.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/temporary_folder.h"

namespace atelier {
namespace {

class PortraitProbe : public testing::Test {
 protected:
  TemporaryFolder folder;

  struct Ran {
    int code;
    std::string out, err;
  };
  std::string at(const std::string& name) const { return (folder.path() / name).string(); }
  static std::string text(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  Ran run(const std::string& arguments) const {
    const std::string command =
        ATELIER_BINARY_DIR "/examples/base/portrait_probe " + arguments + " >" + at("stdout") + " 2>" + at("stderr");
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), text(at("stdout")), text(at("stderr"))};
  }
};

TEST_F(PortraitProbe, TrainsReadsAndChecks) {
  const Ran trained = run("train " + at("p.safetensors") + " --count 4 --steps 2");
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.out.find("step 2 of 2: loss "), std::string::npos) << trained.out;
  const Ran checked = run("check " + at("p.safetensors") + " --count 4 --json");
  ASSERT_EQ(checked.code, 0) << checked.err;
  EXPECT_EQ(nlohmann::json::parse(checked.out).at("accuracy").size(), 14u);
  const std::string photo = ATELIER_SOURCE_DIR "/examples/tiny/customers/emil/emil_1.jpg";
  const Ran read = run("read " + at("p.safetensors") + " " + photo);
  ASSERT_EQ(read.code, 0) << read.err;
  EXPECT_EQ(nlohmann::json::parse(read.out).at("file"), photo);
}

TEST_F(PortraitProbe, RefusesWhatIsNoProbe) {
  std::ofstream(at("x.safetensors")) << "abc";
  const Ran read = run("read " + at("x.safetensors") + " a.png");
  EXPECT_EQ(read.code, 2);
  EXPECT_EQ(read.err, "portrait_probe: " + at("x.safetensors") + ": not a safetensors file: it has 3 bytes\n");
}

TEST_F(PortraitProbe, RefusesAFolderThatIsNotThereBeforeItTrains) {
  const Ran train = run("train " + at("no/p.safetensors"));
  EXPECT_EQ(train.code, 2);
  EXPECT_EQ(train.err, "portrait_probe: " + at("no") + ": is not a folder; make it or name another file\n");
  EXPECT_EQ(train.out, "");
}

}  // namespace
}  // namespace atelier
