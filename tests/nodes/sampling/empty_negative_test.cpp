// SDXL without a negative prompt: zeros or the empty text, as model_index.json's force_zeros_for_empty_prompt says.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "sampling/class_pictures_node.h"
#include "sampling/sample_node.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/temporary_folder.h"
#include "support/tiny_base.h"
#include "types/images.h"
#include "types/pictures.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

// The project's small SDXL with that flag, or without it.
Artifact sdxl_base(const fs::path& folder, std::optional<bool> zeros) {
  fs::copy(ATELIER_SOURCE_DIR "/tests/golden/sdxl_tiny/model", folder, fs::copy_options::recursive);
  const auto path = folder / "model_index.json";
  std::ifstream in(path);
  auto index = nlohmann::json::parse(in);
  index.erase("force_zeros_for_empty_prompt");
  if (zeros) index["force_zeros_for_empty_prompt"] = *zeros;
  fs::permissions(path, fs::perms::owner_all);
  std::ofstream(path) << index;
  return make_model_type()->open_input(folder, digest_of_file).value();
}

Tensor sampled(const Artifact& base, std::map<std::string, Value> params) {
  params.insert({{"prompts", Value::List{"a person"}}, {"steps", 1}, {"width", 64}, {"height", 64}});
  FakeContext context;
  FakeDevice device;
  const auto outputs = run_node(*make_sample_node(), {{"base", {base}}}, params, context, device);
  if (!outputs) throw Fault(outputs.error().message);
  return PictureSet::from(outputs->at("pictures"))->items.at(0).pixels;
}

Tensor of_the_class(const Artifact& base, std::map<std::string, Value> params) {
  params.insert({{"prompt", "a person"}, {"count", 1}, {"steps", 1}, {"width", 64}, {"height", 64}});
  FakeContext context;
  FakeDevice device;
  const auto outputs = run_node(*make_class_pictures_node(), {{"base", {base}}}, params, context, device);
  if (!outputs) throw Fault(outputs.error().message);
  return ImageSet::from(outputs->at("images"))->items.at(0).pixels;
}

bool equal(const Tensor& one, const Tensor& other) {
  return one.shape() == other.shape() && std::ranges::equal(one.bytes(), other.bytes());
}

TEST(EmptyNegative, IsZerosInSdxlUnlessItsFolderSaysTheEmptyText) {
  const TemporaryFolder folder;
  const auto yes = sdxl_base(folder.path() / "yes", true), no = sdxl_base(folder.path() / "no", false),
             silent = sdxl_base(folder.path() / "silent", std::nullopt);
  for (const auto& paint : {sampled, of_the_class}) {
    const auto empty_text = paint(yes, {{"negative", ""}});
    EXPECT_FALSE(equal(paint(yes, {}), empty_text)) << "with \"\" the text is encoded, whatever the flag";
    EXPECT_TRUE(equal(paint(no, {}), empty_text));
    EXPECT_TRUE(equal(paint(no, {{"negative", ""}}), empty_text));
    EXPECT_TRUE(equal(paint(silent, {}), paint(yes, {}))) << "diffusers' default";
  }
}

}  // namespace
}  // namespace atelier
