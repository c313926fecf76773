// `atelier lora` on the peers' files.
#include <gmock/gmock.h>

#include <cstdlib>

#include "process.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class PeersLoraCommand : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* peers = std::getenv("ATELIER_PEERS");
    if (peers == nullptr || !fs::is_directory(peers))
      GTEST_SKIP() << "ATELIER_PEERS is not set to the folder of the peers' reference values";
    folder = fs::path(peers) / GetParam();
  }
  std::string file(const char* name) const { return (folder / name).string(); }
  fs::path folder;
};
INSTANTIATE_TEST_SUITE_P(Architectures, PeersLoraCommand, testing::Values("sd1", "sd2", "sdxl"));

TEST_P(PeersLoraCommand, FindsOneLoraInThreeNamingsEqual) {
  for (const char* other : {"lora_diffusers.safetensors", "lora_peft.safetensors"}) {
    const auto compared = atelier({"lora", "compare", file("lora_kohya.safetensors"), file(other)});
    EXPECT_EQ(compared.exit_code, 0) << compared.out << compared.err;
  }
}

TEST_P(PeersLoraCommand, FindsTwoLorasApart) {
  const auto compared =
      atelier({"lora", "compare", file("lora_kohya.safetensors"), file("lora_full_kohya.safetensors")});
  EXPECT_EQ(compared.exit_code, 1) << compared.err;
}

TEST_P(PeersLoraCommand, FindsTheirFilesSoundForTheirBase) {
  for (const char* name : {"lora_kohya.safetensors", "lora_full_kohya.safetensors", "lora_diffusers.safetensors"}) {
    const auto checked = atelier({"lora", "check", file(name), "--base", file("model")});
    EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
  }
}

}  // namespace
}  // namespace atelier::test
