// A base from nothing by the recipe of examples/base, a hundredth of its steps, by the real programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "process.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kExample = fs::path(ATELIER_SOURCE_DIR) / "examples/base";

// The recipe's batch file with a hundredth of its steps, for pictures and a base in `folder`.
void write_batch(const fs::path& folder) {
  const std::map<std::string, std::string> instead{
      {"pipeline: ", (kExample / "../../pipelines/base.yaml").string()},
      {"  base: ", "random"},
      {"  - {id: base, pictures: ", "pictures}"},
  };
  std::istringstream recipe(read_file(kExample / "batch.yaml"));
  std::ofstream batch(folder / "batch.yaml");
  for (std::string line; std::getline(recipe, line);) {
    for (const auto& [start, value] : instead)
      if (line.starts_with(start)) line = start + value;
    for (const std::string start : {"  vae_steps: ", "  steps: ", "  vae_warmup_steps: ", "  warmup_steps: "})
      if (line.starts_with(start)) line = start + std::to_string(std::stoi(line.substr(start.size())) / 100);
    batch << line << "\n";
  }
}

TEST(EndToEndBase, IsTrainedFromNothingAndOpensAsAModelOfItsOwn) {
  const TemporaryFolder folder;
  const std::string portraits = std::string(ATELIER_BINARY_DIR) + "/examples/base/portraits";
  ASSERT_EQ(std::system((portraits + " set --count 48 --seed 1 --size 128 " + (folder.path() / "pictures").string() +
                         " >/dev/null")
                            .c_str()),
            0);
  const auto made =
      atelier({"model", "init", "--config", (kExample / "config").string(), (folder.path() / "random").string()});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  write_batch(folder.path());
  const auto trained =
      atelier({"run", (folder.path() / "batch.yaml").string(), "--out", (folder.path() / "out").string(), "--cache",
               (folder.path() / "cache").string(), "--threads-per-device", "2"});
  ASSERT_EQ(trained.exit_code, 0) << trained.out << trained.err;
  const auto after = atelier({"model", "info", (folder.path() / "out/base").string()});
  ASSERT_EQ(after.exit_code, 0) << after.err;
  EXPECT_THAT(after.out, HasSubstr("Stable Diffusion 1.x"));
  for (const char* part : {"unet", "vae"}) {
    const std::string file = std::string(part) + "/diffusion_pytorch_model.safetensors";
    EXPECT_NE(read_file(folder.path() / "random" / file), read_file(folder.path() / "out/base" / file)) << part;
  }
  for (const char* same : {"text_encoder/model.safetensors", "tokenizer/vocab.json"})
    EXPECT_EQ(read_file(folder.path() / "random" / same), read_file(folder.path() / "out/base" / same)) << same;
}

}  // namespace
}  // namespace atelier::test
