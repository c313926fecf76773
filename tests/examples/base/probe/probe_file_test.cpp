#include "probe/probe_file.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "diffusion/safetensors.h"
#include "probe/probe_reading.h"
#include "support/temporary_folder.h"

namespace atelier::probe {
namespace {

class ProbeFile : public testing::Test {
 protected:
  TemporaryFolder folder;
  std::filesystem::path at(const std::string& name) const { return folder.path() / name; }
  ProbeNet written_and_read(const ProbeNet& net) const {
    const auto written = write_probe(net, at("probe.safetensors"));
    EXPECT_TRUE(written.has_value()) << written.error().message;
    auto read = read_probe(at("probe.safetensors"));
    if (!read) throw std::runtime_error(read.error().message);
    return *std::move(read);
  }
};

TEST_F(ProbeFile, GivesTheSameReadings) {
  const at::Tensor pictures = at::randint(0, 256, {2, 3, 128, 128}).to(at::kByte);
  const ProbeNet net = ProbeNet::random(4), stored = written_and_read(net);
  const ProbeNet again = written_and_read(stored);
  const auto before = read_pictures(net, pictures), after = read_pictures(stored, pictures);
  EXPECT_EQ(to_json(after[0]), to_json(read_pictures(again, pictures)[0]));
  for (std::size_t i = 0; i < before.size(); ++i)
    for (std::size_t a = 0; a < before[i].probabilities.size(); ++a)
      for (std::size_t v = 0; v < before[i].probabilities[a].size(); ++v)
        EXPECT_NEAR(before[i].probabilities[a][v], after[i].probabilities[a][v], 2e-3);  // stored in float16
}

TEST_F(ProbeFile, IsSmall) {
  written_and_read(ProbeNet::random(4));
  EXPECT_LT(std::filesystem::file_size(at("probe.safetensors")), 1000000u);
}

TEST_F(ProbeFile, IsRefusedWhereItIsAnotherModel) {
  ASSERT_TRUE(diffusion::write_safetensors(at("other.safetensors"), {{"a", at::zeros({1})}}, {}).has_value());
  EXPECT_EQ(read_probe(at("other.safetensors")).error().message,
            at("other.safetensors").string() + ": is not a portrait probe; `portrait_probe train` makes one");
}

TEST_F(ProbeFile, IsRefusedWhereItIsNoSafetensors) {
  std::ofstream(at("short.safetensors")) << "abc";
  EXPECT_EQ(read_probe(at("short.safetensors")).error().message,
            at("short.safetensors").string() + ": not a safetensors file: it has 3 bytes");
}

TEST_F(ProbeFile, CannotBeWrittenIntoAFolderThatIsNotThere) {
  EXPECT_FALSE(write_probe(ProbeNet::random(4), at("no/probe.safetensors")).has_value());
}

}  // namespace
}  // namespace atelier::probe
