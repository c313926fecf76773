// LoRAs of every kind of layer, text encoders too, on the three architectures: the peers' goldens, and our own files in
// diffusers.
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
    return must(UNet::create(config, reader))->forward(golden_input(*golden), adapters);
  }
};
INSTANTIATE_TEST_SUITE_P(Own, FullLoraGolden, ::testing::Values("sd1_tiny"), golden_name);
INSTANTIATE_TEST_SUITE_P(Peers, FullLoraGolden, ::testing::Values("peers/sd1", "peers/sd2", "peers/sdxl"), golden_name);

TEST_P(FullLoraGolden, FusedIntoTheTextEncodersGivesTheirOutputs) {
  const Lora full = lora();
  const std::vector<WeightedLora> terms = {{&full, 1}};
  const auto encoders = encoders_of(*golden);
  ASSERT_FALSE(encoders.empty());
  for (const EncoderNames& encoder : encoders) {
    const WeightMap base = in_float32(text_weights(*golden, encoder));
    const auto model = text_model(*golden, encoder, must(fuse(base, encoder.part, terms)));
    const auto states = must(model->encode((*golden)[std::string(encoder.golden) + ".ids"]));
    const at::Tensor& wanted = (*golden)[std::string("lora_full.") + encoder.golden + ".last"];
    EXPECT_LT(greatest_difference(states.last, wanted), kTolerance) << encoder.folder;
    EXPECT_GT(greatest_difference((*golden)[std::string(encoder.golden) + ".last"], wanted), 1e-2) << encoder.folder;
  }
}

TEST_P(FullLoraGolden, AsAdaptersOfTheTextEncodersGivesTheirOutputs) {
  const Adapters adapters = adapters_of(lora());
  for (const EncoderNames& encoder : encoders_of(*golden)) {
    const auto model = text_model(*golden, encoder, text_weights(*golden, encoder));
    const auto states = must(model->encode((*golden)[std::string(encoder.golden) + ".ids"], {.adapters = &adapters}));
    EXPECT_LT(greatest_difference(states.last, (*golden)[std::string("lora_full.") + encoder.golden + ".last"]),
              kTolerance)
        << encoder.folder;
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
  if (golden->facts.value("variant", "") == "sd2") full.base = LoraBase{Architecture::sd2};
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
INSTANTIATE_TEST_SUITE_P(PythonBases, PythonLoraFile, ::testing::Values("peers/sd1", "peers/sd2", "peers/sdxl"),
                         golden_name);

/// Our outputs for the golden inputs, under the names that the script gives diffusers' own.
WeightMap our_outputs(const GoldenFolder& golden, const Adapters& adapters) {
  const at::NoGradGuard no_grad;
  WeightMap out = {{"unet", golden.unet()->forward(golden_input(golden), adapters)}};
  for (const EncoderNames& encoder : encoders_of(golden))
    out[encoder.golden] = must(text_model(golden, encoder, text_weights(golden, encoder))
                                   ->encode(golden[std::string(encoder.golden) + ".ids"], {.adapters = &adapters}))
                              .last;
  return out;
}

WeightMap case_of(const GoldenFolder& golden) {
  const UNetInput input = golden_input(golden);
  WeightMap inputs = {{"sample", input.sample}, {"t", input.timesteps}, {"context", input.context}};
  if (input.pooled.defined()) inputs.merge(WeightMap{{"pooled", input.pooled}, {"time_ids", input.time_ids}});
  const auto encoders = encoders_of(golden);
  for (size_t i = 0; i < encoders.size(); ++i)
    inputs["ids" + std::to_string(i)] = golden[std::string(encoders[i].golden) + ".ids"];
  return inputs;
}

TEST_P(PythonLoraFile, OfEveryLayerGivesDiffusersOurOutputs) {
  ATELIER_REQUIRE_VENV();
  std::vector<LoraTarget> targets = golden->unet()->adaptable_layers();
  for (const EncoderNames& encoder : encoders_of(*golden)) {
    const auto model = text_model(*golden, encoder, text_weights(*golden, encoder));
    targets.insert(targets.end(), model->adaptable_layers().begin(), model->adaptable_layers().end());
  }
  Lora lora = random_lora(targets, /*size=*/0.3, /*seed=*/12);
  const auto variant = golden->facts.at("variant").get<std::string>();
  lora.base = variant == "sdxl"  ? LoraBase{Architecture::sdxl}
              : variant == "sd2" ? LoraBase{Architecture::sd2, PredictionType::v_prediction}
                                 : LoraBase{};
  const test::TemporaryFolder folder;
  const LoraFile file = to_kohya(lora, {.title = "every layer"});
  must(write_safetensors(folder / "lora.safetensors", file.tensors, file.metadata));
  must(write_safetensors(folder / "case.safetensors", case_of(*golden), {}));
  ASSERT_TRUE(test::run_python("lora_file_in_diffusers.py", {golden->path / "model", folder / "lora.safetensors",
                                                             folder / "case.safetensors", folder / "out.safetensors"}));
  const WeightMap theirs = test::read_all(folder / "out.safetensors");
  const WeightMap ours = our_outputs(*golden, adapters_of(lora));
  ASSERT_EQ(theirs.size(), 2 * ours.size());
  for (const auto& [name, output] : ours) {
    EXPECT_LT(greatest_difference(output, theirs.at("adapted." + name)), 1e-4) << name;
    EXPECT_GT(greatest_difference(theirs.at("base." + name), theirs.at("adapted." + name)), 1e-2) << name;
  }
}

}  // namespace
}  // namespace atelier::diffusion
