// LoRAs of every kind of layer, text encoders too, on the three architectures: the peers' goldens, and our own files in
// diffusers.
#include <ATen/core/grad_mode.h>

#include <fstream>

#include "diffusion/lora_format.h"
#include "goldens.h"
#include "lora_models.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

constexpr double kTolerance = 1e-5;  // absolute, as in goldens.json

class FullLoraGolden : public GoldenTest {
 protected:
  Lora lora() const { return must(read_lora(golden->path / "lora_full_kohya.safetensors")); }

  at::Tensor unet_output(WeightMap weights, const Adapters& adapters) const {
    const at::NoGradGuard no_grad;
    const auto config = must(parse_unet_config(read_json(golden->path / "model/unet/config.json"), "config.json"));
    WeightReader reader(std::move(weights), "unet");
    return must(UNet::create(config, reader))->forward(golden->input(), adapters);
  }
};
ATELIER_ARCHITECTURES_SUITE(FullLoraGolden);

TEST_P(FullLoraGolden, FusedIntoTheTextEncodersGivesTheirOutputs) {
  const Lora full = lora();
  const std::vector<WeightedLora> terms = {{&full, 1}};
  for (std::size_t i = 0; i < encoder_count(*golden); ++i) {
    const WeightMap base = in_float32(golden->text_weights(i));
    const auto model = text_model_of(*golden, i, must(fuse(base, encoder_part(i), terms)));
    const at::Tensor last = must(model->encode(text_golden(*golden, i, "ids"))).last;
    const at::Tensor& wanted = text_golden(*golden, i, "last", "lora_full.");
    EXPECT_LT(greatest_difference(last, wanted), kTolerance) << "text encoder " << i;
    EXPECT_GT(greatest_difference(text_golden(*golden, i, "last"), wanted), 1e-2) << "text encoder " << i;
  }
}

TEST_P(FullLoraGolden, FusedIntoTheUNetAndAsItsAdaptersGivesItsOutput) {
  const Lora full = lora();
  const std::vector<WeightedLora> terms = {{&full, 1}};
  const at::Tensor& wanted = (*golden)["lora_full.unet.out"];
  const WeightMap base = in_float32(golden->weights("unet"));
  EXPECT_LT(greatest_difference(unet_output(must(fuse(base, LoraPart::unet, terms)), {}), wanted), kTolerance);
  EXPECT_LT(greatest_difference(unet_output(base, adapters_of(full)), wanted), kTolerance);
}

TEST_P(FullLoraGolden, HasTheSameKeysWhenItIsWrittenAgain) {
  Lora full = lora();
  full.base = LoraBase{golden->architecture()};
  const LoraFile file = to_kohya(full, {});
  const WeightMap given = must(must(Safetensors::open(golden->path / "lora_full_kohya.safetensors")).tensors());
  ASSERT_EQ(file.tensors.size(), given.size());
  for (const auto& [key, tensor] : given) {
    ASSERT_TRUE(file.tensors.contains(key)) << key;
    EXPECT_EQ(file.tensors.at(key).sizes(), tensor.sizes()) << key;
  }
}

/// Files with the layers of all models, in diffusers.
class PythonLoraFile : public GoldenTest {};
INSTANTIATE_TEST_SUITE_P(PythonBases, PythonLoraFile, ::testing::Values("sd1_tiny", "sd2_tiny", "sdxl_tiny"),
                         golden_name);

/// Our outputs for the golden inputs, under the names that the script gives diffusers' own.
WeightMap our_outputs(const GoldenFolder& golden, const Adapters& adapters) {
  const at::NoGradGuard no_grad;
  WeightMap out = {{"unet", golden.unet()->forward(golden.input(), adapters)}};
  for (std::size_t i = 0; i < encoder_count(golden); ++i)
    out["text" + std::to_string(i)] =
        must(golden.text_model(i)->encode(text_golden(golden, i, "ids"), {.adapters = &adapters})).last;
  return out;
}

WeightMap case_of(const GoldenFolder& golden) {
  const UNetInput input = golden.input();
  WeightMap inputs = {{"sample", input.sample}, {"t", input.timesteps}, {"context", input.context}};
  if (golden.sdxl()) inputs.merge(WeightMap{{"pooled", input.pooled}, {"time_ids", input.time_ids}});
  for (std::size_t i = 0; i < encoder_count(golden); ++i)
    inputs["ids" + std::to_string(i)] = text_golden(golden, i, "ids");
  return inputs;
}

/// Whether the script, given what was written to `written`, gives our outputs, and others than the base's.
void expect_our_outputs(const GoldenFolder& golden, const Lora& lora, const std::filesystem::path& folder,
                        const std::filesystem::path& written) {
  must(write_safetensors(folder / "case.safetensors", case_of(golden), {}));
  ASSERT_TRUE(test::run_python("lora_file_in_diffusers.py", {golden.path / "model", written,
                                                             folder / "case.safetensors", folder / "out.safetensors"}));
  const WeightMap theirs = test::read_all(folder / "out.safetensors");
  const WeightMap ours = our_outputs(golden, adapters_of(lora));
  ASSERT_EQ(theirs.size(), 2 * ours.size());
  for (const auto& [name, output] : ours) {
    EXPECT_LT(greatest_difference(output, theirs.at("adapted." + name)), 1e-4) << name;
    EXPECT_GT(greatest_difference(theirs.at("base." + name), theirs.at("adapted." + name)), 1e-2) << name;
  }
}

TEST_P(PythonLoraFile, OfEveryLayerGivesDiffusersOurOutputs) {
  ATELIER_REQUIRE_VENV();
  const Lora lora = random_lora(*golden, /*size=*/0.3, /*seed=*/12);
  const test::TemporaryFolder folder;
  const LoraFile file = to_kohya(lora, {.title = "every layer"});
  must(write_safetensors(folder / "lora.safetensors", file.tensors, file.metadata));
  expect_our_outputs(*golden, lora, folder / "", folder / "lora.safetensors");
}

TEST_P(PythonLoraFile, InDiffusersOwnNamingGivesItOurOutputs) {
  ATELIER_REQUIRE_VENV();
  const Lora lora = random_lora(*golden, /*size=*/0.3, /*seed=*/13);
  const test::TemporaryFolder folder;
  for (const LoraAlphas alphas : {LoraAlphas::one, LoraAlphas::keep}) {
    const LoraFile file = to_diffusers(lora, {.title = "every layer"}, alphas);
    must(write_safetensors(folder / "lora.safetensors", file.tensors, file.metadata));
    expect_our_outputs(*golden, lora, folder / "", folder / "lora.safetensors");
  }
}

TEST_P(PythonLoraFile, AsAdaptersGivesPeftOurOutputs) {
  ATELIER_REQUIRE_VENV();
  const Lora lora = random_lora(*golden, /*size=*/0.3, /*seed=*/14);
  const test::TemporaryFolder folder;
  for (const LoraAlphas alphas : {LoraAlphas::one, LoraAlphas::keep}) {
    for (const auto& [part, adapter] : to_peft(lora, {.title = "every layer"}, alphas)) {
      const auto part_folder = folder / "peft" / std::string(name_of(part));
      std::filesystem::create_directories(part_folder);
      must(write_safetensors(part_folder / "adapter_model.safetensors", adapter.file.tensors, adapter.file.metadata));
      std::ofstream(part_folder / "adapter_config.json") << adapter.config.dump();
    }
    expect_our_outputs(*golden, lora, folder / "", folder / "peft");
  }
}

TEST_P(PythonLoraFile, HasTheHashesThatKohyaComputes) {
  ATELIER_REQUIRE_VENV();
  Lora lora = random_lora(*golden, /*size=*/0.3, /*seed=*/15);
  LoraLayer& large = lora.layers.begin()->second;  // so that there are bytes behind the first MiB
  large.b = at::rand({300000, large.rank()});
  const test::TemporaryFolder folder;
  const LoraFile file = to_kohya(lora, {.title = "every layer"});
  must(write_safetensors(folder / "lora.safetensors", file.tensors, file.metadata));
  EXPECT_TRUE(test::run_python("lora_hashes_of_kohya.py", {folder / "lora.safetensors"}));
}

}  // namespace
}  // namespace atelier::diffusion
