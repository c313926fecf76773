#include "diffusion/lora_files.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "diffusion/lora_check.h"
#include "diffusion/lora_compare.h"
#include "diffusion/lora_operations.h"
#include "goldens.h"
#include "random_loras.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const fs::path kGoldens = ATELIER_SOURCE_DIR "/tests/golden";
const std::string kText = "text_encoder.text_model.encoder.layers.0.mlp.fc1";

class LoraFilesTest : public testing::Test {
 protected:
  LoraFilesTest() {
    lora.layers[kText] = random.layer({8, 6});
    lora.base = LoraBase{};
  }

  fs::path written(const std::string& name, const LoraOutput& output = {}) {
    const auto done = write_lora(lora, folder / name, output);
    EXPECT_TRUE(done) << done.error().message;
    return folder / name;
  }
  LoraSource opened(const fs::path& path) {
    auto source = open_lora(path);
    EXPECT_TRUE(source) << source.error().message;
    return *std::move(source);
  }

  RandomLoras random{3};
  Lora lora = random.lora();
  test::TemporaryFolder folder;
};

TEST_F(LoraFilesTest, ThroughAllDialectsAndBackWithTheirAlphasAreTheSameBytes) {
  const auto convert = [&](const fs::path& from, const std::string& to, LoraNaming naming) {
    const LoraSource source = opened(from);
    EXPECT_TRUE(write_lora(lora_of(source)->lora, folder / to, {.naming = naming, .alphas = LoraAlphas::keep}));
    return folder / to;
  };
  const fs::path first = written("a.safetensors", {.alphas = LoraAlphas::keep});
  const fs::path diffusers = convert(first, "b.safetensors", LoraNaming::diffusers);
  const fs::path peft = convert(diffusers, "peft", LoraNaming::peft);
  const fs::path back = convert(peft, "c.safetensors", LoraNaming::kohya);
  EXPECT_EQ(test::bytes_of(back), test::bytes_of(first));
  EXPECT_TRUE(fs::exists(peft / "unet/adapter_config.json") && fs::exists(peft / "text_encoder/adapter_config.json"));
  for (const fs::path& path : {diffusers, peft, back})
    EXPECT_EQ(compare(lora_of(opened(path))->lora, lora_of(opened(first))->lora)->relative, 0) << path;
}

TEST_F(LoraFilesTest, OfOneModelInPeftsNamingAreOneFolder) {
  lora.layers.erase(kText);
  const LoraSource source = opened(written("peft", {.naming = LoraNaming::peft}));
  EXPECT_EQ(source.updates.naming, LoraNaming::peft);
  EXPECT_EQ(lora_of(source)->lora.layers.size(), lora.layers.size());
}

TEST_F(LoraFilesTest, AreRoundedOnceToTheDtype) {
  for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16, at::kFloat}) {
    const LoraSource source = opened(written(toString(dtype) + std::string(".safetensors"), {.dtype = dtype}));
    EXPECT_EQ(source.dtype, dtype);
    EXPECT_LT(compare(lora_of(source)->lora, lora)->relative, dtype == at::kFloat ? 1e-6 : 1e-2);
  }
  lora.layers.begin()->second.b.mul_(1e7);
  EXPECT_THAT(write_lora(lora, folder / "x.safetensors", {.dtype = at::kHalf}).error().message,
              HasSubstr(" holds NaN or infinite numbers, or numbers too large for float16"));
  EXPECT_EQ(write_lora({}, folder / "y", {}).error().message,
            (folder / "y").string() + ": nothing to write: the LoRA has no layers");
}

TEST_F(LoraFilesTest, AreKnownByTheHashThatKohyaWrites) {
  const LoraSource source = opened(written("a.safetensors"));
  EXPECT_EQ(source.hash, source.metadata.at("sshs_model_hash"));
  EXPECT_EQ(source.hash.size(), 64u);
}

TEST_F(LoraFilesTest, SayHowTheyCameToBe) {
  Provenance provenance("diff");
  provenance.option("rank", 32).input("minuend", "aa").input("lora", "bb", {{"weight", 0.5}}).input("lora", "cc");
  provenance.title({{"modelspec.title", "mia"}}).title({}).title({{"modelspec.title", "ink"}});
  const LoraSource source = opened(written("a.safetensors", {.about = {.more = provenance.metadata()}}));
  EXPECT_EQ(nlohmann::json::parse(source.metadata.at("atelier.operation")), nlohmann::json::parse(R"({
    "name": "diff", "rank": 32,
    "inputs": {"minuend": {"sha256": "aa"}, "lora": [{"sha256": "bb", "weight": 0.5}, {"sha256": "cc"}]}})"));
  EXPECT_EQ(source.metadata.at("modelspec.merged_from"), "mia, ink");
}

TEST_F(LoraFilesTest, OfOtherKindsBecomeLoraWithWhatTheyNeed) {
  const std::string query = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
  const LoraSource loha = opened(kGoldens / "lycoris/loha.safetensors");
  const WeightMap deltas = test::read_all(kGoldens / "lycoris/deltas.safetensors");
  const auto exact = lora_of(loha);
  const auto by_rank = lora_of(loha, {.limit = RankLimit{.rank = 64}});
  ASSERT_TRUE(by_rank) << by_rank.error().message;
  for (const auto* made : {&exact, &by_rank}) {
    if (!*made) continue;
    for (const auto& [name, layer] : (*made)->lora.layers) {
      const at::Tensor wanted = deltas.at("loha/" + name);
      EXPECT_LT(distance(exact_delta(layer), wanted), 1e-5 * wanted.norm().item<double>()) << name;
    }
  }
  const auto lossy = lora_of(loha, {.limit = RankLimit{.rank = 1}});
  EXPECT_GT(lossy->relative_error.value(), 0.01);
  EXPECT_THAT(lossy->notes, ElementsAre(HasSubstr("loha.safetensors: its full matrices are ")));
  EXPECT_EQ(by_rank->notes.size(), 0u);
  const LoraSource dora = opened(kGoldens / "lycoris/dora.safetensors");
  EXPECT_THAT(lora_of(dora).error().message,
              HasSubstr("is of the kind DoRA, whose update depends on the base's weight: "
                        "give the base it was trained on with --base"));
}

TEST_F(LoraFilesTest, WithoutALoraAreToldSo) {
  EXPECT_EQ(open_lora(folder / "none.safetensors").error().message,
            (folder / "none.safetensors").string() + ": cannot be opened: No such file or directory");
  EXPECT_EQ(open_lora(folder.path()).error().message,
            folder.path().string() +
                ": is a folder without a LoRA; expected are adapter_model.safetensors or "
                "pytorch_lora_weights.safetensors, or folders unet, text_encoder, text_encoder_2 with one");
}

class LoraCheckTest : public LoraFilesTest {
 protected:
  std::vector<std::string> faults(const WeightMap& tensors, const BaseModel* base = nullptr) {
    EXPECT_TRUE(write_safetensors(folder / "checked.safetensors", tensors, {}));
    auto found = check_lora(folder / "checked.safetensors", base);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<std::string>{});
  }
  WeightMap sound() { return to_kohya(lora, {}).tensors; }
};

TEST_F(LoraCheckTest, FindsNothingInASoundFile) { EXPECT_THAT(faults(sound()), IsEmpty()); }

TEST_F(LoraCheckTest, TellsEveryFault) {
  WeightMap tensors = sound();
  const std::string conv = "lora_unet_down_blocks_0_resnets_0_conv1",
                    text = "lora_te_text_model_encoder_layers_0_mlp_fc1";
  tensors[conv + ".lora_up.weight"].fill_(std::nan(""));
  tensors.erase(text + ".lora_down.weight");
  tensors["lora_unet_conv_in.lora_doom.weight"] = at::ones({2, 2});
  EXPECT_THAT(faults(tensors), ElementsAre(HasSubstr("tensor '" + conv + ".lora_up.weight' holds "),
                                           HasSubstr("lora_unet_conv_in.lora_doom.weight"),
                                           "LoRA key '" + text + ".lora_up.weight': its other half, down, is missing"));
}

TEST_F(LoraCheckTest, TellsLayersThatTheBaseDoesNotHave) {
  const auto base = BaseModel::open(kGoldens / "sd1_tiny/model");
  ASSERT_TRUE(base) << base.error().message;
  lora.layers.clear();
  lora.layers["conv_in"] = random.layer({16, 4, 3, 3});
  EXPECT_THAT(faults(sound(), &*base), IsEmpty());
  lora.layers["conv_in"] = random.layer({16, 4, 5, 5});
  lora.layers["down_blocks.9.resnets.0.conv1"] = random.layer({16, 16, 3, 3});
  lora.layers["text_encoder_2.text_model.encoder.layers.0.mlp.fc1"] = random.layer({4, 4});
  EXPECT_THAT(
      faults(sound(), &*base),
      ElementsAre("the LoRA was made for SDXL, the base is Stable Diffusion 1.x",
                  "LoRA layer 'conv_in': an update of shape [16, 4, 5, 5] does not fit the base's weight of shape "
                  "[16, 4, 3, 3]",
                  "LoRA layer 'down_blocks.9.resnets.0.conv1': the base model has no such layer",
                  "LoRA layer 'text_encoder_2.text_model.encoder.layers.0.mlp.fc1': the base model has no such layer"));
}

TEST_F(LoraCheckTest, OfWhatIsNoSafetensorsIsAnError) {
  test::put_bytes(folder / "x.safetensors", "nothing");
  EXPECT_THAT(check_lora(folder / "x.safetensors").error().message, HasSubstr((folder / "x.safetensors").string()));
}

}  // namespace
}  // namespace atelier::diffusion
