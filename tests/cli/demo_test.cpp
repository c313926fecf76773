// What the demo shows: the toy base draws what words say, and what the demo night learned of a customer is in the
// pictures. The probe of examples/base reads them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "process.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;

const fs::path kExamples = fs::path(ATELIER_SOURCE_DIR) / "examples";

// The probe's values of each PNG in `folder` whose name begins so: {"hair_colour": "red", …}.
std::vector<nlohmann::json> readings(const fs::path& folder, const std::string& prefix = "") {
  const TemporaryFolder work;
  std::string command = std::string(ATELIER_BINARY_DIR) + "/examples/base/portrait_probe read " +
                        (kExamples / "base/probe.safetensors").string();
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".png" && entry.path().filename().string().starts_with(prefix))
      command += " " + entry.path().string();
  command += " >" + (work.path() / "out").string();
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::vector<nlohmann::json> all;
  std::istringstream lines(read_file(work.path() / "out"));
  for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line)["values"]);
  return all;
}

double share(const std::vector<nlohmann::json>& readings, const std::string& attribute, const std::string& value) {
  EXPECT_FALSE(readings.empty());
  const auto right = std::ranges::count_if(readings, [&](const auto& r) { return r.at(attribute) == value; });
  return static_cast<double>(right) / static_cast<double>(readings.size());
}

TEST(EndToEndDemo, TheToyBaseDrawsWhatWordsSay) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "draw.yaml")
      << "atelier: 1\nname: draw\ninputs:\n  base: {type: model}\nsteps:\n  pictures:\n    use: sample\n"
         "    in: {base: base}\n    with:\n      prompts: [\"portrait of a woman with long red hair and round glasses, "
         "in a park, oil painting\"]\n      seeds: [1, 2, 3, 4, 5, 6, 7, 8]\n      guidance: 4.0\n      steps: 20\n"
         "outputs:\n  pictures: {from: pictures, path: \"${customer}/pictures/\"}\n";
  std::ofstream(folder.path() / "batch.yaml")
      << "atelier: 1\npipeline: draw.yaml\ncustomers: [{id: base, base: " << (kExamples / "base/model").string()
      << "}]\n";
  const auto drawn = atelier({"run", (folder.path() / "batch.yaml").string(), "--out", folder.path() / "out", "--cache",
                              folder.path() / "cache"});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.out << drawn.err;
  const auto seen = readings(folder.path() / "out/base/pictures");
  ASSERT_EQ(seen.size(), 8U);
  EXPECT_GE(share(seen, "presentation", "woman"), 0.75);
  EXPECT_GE(share(seen, "hair_colour", "red"), 0.75);
  EXPECT_GE(share(seen, "hair_style", "long"), 0.75);
  EXPECT_GE(share(seen, "scene", "park"), 0.75);
  EXPECT_GE(share(seen, "style", "oil"), 0.75);
}

// mia has red hair and all of her photos are of a beach, tom a black beard. Pictures 0001 name no place, pictures 0002
// a library.
TEST(EndToEndDemo, TheNightsPicturesAreOfTheCustomersAndOnlyImplicitFusionBringsThePlace) {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "out";
  const auto night = atelier({"run", (kExamples / "night/batch.yaml").string(), "--out", out.string(), "--cache",
                              (folder.path() / "cache").string(), "--devices", "cpu:0,cpu:1"});
  ASSERT_EQ(night.exit_code, 0) << night.out << night.err;
  const auto mia = readings(out / "mia/comparison/5-no-style");
  EXPECT_GE(share(mia, "presentation", "woman"), 0.75);
  EXPECT_GE(share(mia, "hair_colour", "red"), 0.5);
  const auto tom = readings(out / "tom/comparison/5-no-style");
  EXPECT_GE(share(tom, "presentation", "man"), 0.75);
  EXPECT_GE(share(tom, "hair_colour", "black"), 0.5);
  EXPECT_GE(share(tom, "beard", "full"), 0.5);
  EXPECT_GE(share(readings(out / "mia/comparison/3-implicit", "0001"), "scene", "beach"), 0.75);
  EXPECT_LE(share(readings(out / "mia/comparison/5-no-style", "0001"), "scene", "beach"), 0.25);
  EXPECT_GE(share(readings(out / "mia/comparison/5-no-style", "0002"), "scene", "library"), 0.75);
  EXPECT_LE(share(readings(out / "mia/comparison/2-style"), "style", "photo"), 0.5);
  EXPECT_GE(share(readings(out / "mia/comparison/1-base"), "style", "photo"), 0.75);
}

}  // namespace
}  // namespace atelier::test
