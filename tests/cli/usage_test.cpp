// What the program says to a user who mistypes.
#include <gtest/gtest.h>
#include <fstream>

#include "process.h"

namespace atelier::test {
namespace {

TEST(Usage, AnUnknownCommandSuggestsTheNearest) {
  const auto finished = atelier({"rnu", "x.yaml"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "atelier: unknown command 'rnu'; did you mean 'run'?\nTry 'atelier --help'.\n");
}

TEST(Usage, AnUnknownOptionSuggestsTheNearest) {
  const auto finished = atelier({"run", "x.yaml", "--device", "cpu:0"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "atelier: unknown option '--device'; did you mean '--devices'?\nTry 'atelier run --help'.\n");
}

TEST(Usage, EveryCommandHasAnExampleInItsHelp) {
  for (const char* command : {"run", "plan", "validate", "graph", "nodes", "model", "doctor"}) {
    const auto finished = atelier({command, "--help"});
    EXPECT_EQ(finished.exit_code, 0) << command;
    EXPECT_NE(finished.out.find("Example:\n  atelier " + std::string(command)), std::string::npos) << finished.out;
  }
}

TEST(Usage, AMissingBatchIsToldWithoutAFault) {
  const auto finished = atelier({"validate", "no-such.yaml"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "no-such.yaml: there is no such file\n1 mistake; nothing was run.\n");
}

TEST(Usage, ASettingWithoutAValueIsTold) {
  const auto finished = atelier({"validate", "no-such.yaml", "--set", "steps"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "--set steps: expects NAME=VALUE, as in --set steps=60\n");
}

TEST(Usage, AnUnknownNodeSuggestsTheNearest) {
  const auto finished = atelier({"nodes", "trian"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "no node is named 'trian'; did you mean 'train'?\n");
}

TEST(Usage, AModelIsNotMadeOverWhatIsThere) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  const auto finished = atelier({"model", "init", folder.path().string()});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, folder.path().string() +
                              ": is there already and not an empty folder; give another name, or remove it first\n");
}

}  // namespace
}  // namespace atelier::test
