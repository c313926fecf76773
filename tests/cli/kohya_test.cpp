// A kohya user's training by the real program: pipelines/kohya.yaml on a folder in kohya's naming.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "tiny_night.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;

// The names of a safetensors file's tensors.
std::set<std::string> tensors_of(const fs::path& file) {
  const std::string bytes = read_file(file);
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length) return {};
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto header = nlohmann::json::parse(bytes.substr(sizeof length, length));
  std::set<std::string> names;
  for (const auto& [name, entry] : header.items())
    if (name != "__metadata__") names.insert(name);
  return names;
}

class EndToEndKohya : public testing::Test {
 protected:
  EndToEndKohya() {
    copy("customers/dora", "train/2_sks person");
    write_batch(6);
  }

  void copy(const char* from, const char* to) const {
    fs::create_directories(night.folder() / to);
    fs::copy(night.folder() / from, night.folder() / to);
  }
  void write_batch(int steps) const {
    std::ofstream(night.folder() / "tonight.yaml")
        << "atelier: 1\npipeline: " << ATELIER_SOURCE_DIR << "/pipelines/kohya.yaml\n"
        << "inputs: {base: base}\n"
        << "params: {size: 128, rank: 2, alpha: 1.0, class_count: 2, steps: " << steps << ", checkpoint_every: 2}\n"
        << "customers: [{id: sks, photos: train}]\n";
  }
  TinyNight night;
};

TEST_F(EndToEndKohya, FolderInLoraOfUNetAndTextEncoderOut) {
  const auto run = night.run();
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  const auto names = tensors_of(night.out() / "sks/sks.safetensors");
  bool unet = false, text = false;
  for (const auto& name : names) {
    unet = unet || name.starts_with("lora_unet_");
    text = text || name.starts_with("lora_te_");
  }
  EXPECT_TRUE(unet);
  EXPECT_TRUE(text);
  const std::string said = run.out + run.err;
  EXPECT_NE(said.find("folder '2_sks person': 3 photos, 2 times in a round, captioned \"sks person\" where there is no "
                      ".txt"),
            std::string::npos)
      << said;

  const auto second = night.run();
  EXPECT_EQ(second.exit_code, 0);
  EXPECT_TRUE(tasks_of(night.events_of_last_run(), "task_started").empty());
}

TEST_F(EndToEndKohya, OtherRepeatsInTheFoldersNameRunTheTrainingAgain) {
  ASSERT_EQ(night.run().exit_code, 0);
  fs::rename(night.folder() / "train/2_sks person", night.folder() / "train/3_sks person");
  ASSERT_EQ(night.run().exit_code, 0);
  const auto started = tasks_of(night.events_of_last_run(), "task_started");
  EXPECT_TRUE(std::ranges::any_of(started, [](const auto& task) { return task.find("lora") != std::string::npos; }));
}

}  // namespace
}  // namespace atelier::test
