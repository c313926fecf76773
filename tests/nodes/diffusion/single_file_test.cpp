// Single checkpoint files in the original layout: read, and written from and to diffusers folders.
#include <nlohmann/json.hpp>

#include "diffusion/config_json.h"
#include "diffusion/model_write.h"
#include "golden_base.h"
#include "published_models.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

const fs::path kClip = fs::path(ATELIER_SOURCE_DIR) / "models/clip-tokenizer";

void expect_equal_weights(const BaseModel& one, const BaseModel& two) {
  ASSERT_EQ(one.parts(), two.parts());
  for (const ModelPart part : one.parts()) {
    const auto a = must(one.weights(part)), b = must(two.weights(part));
    ASSERT_EQ(a.size(), b.size()) << folder_name(part);
    for (const auto& [name, tensor] : a) {
      EXPECT_EQ(tensor.scalar_type(), b.at(name).scalar_type()) << name;
      EXPECT_TRUE(tensor.equal(b.at(name))) << name;
    }
  }
}

class SingleFileGolden : public GoldenTest {
 protected:
  fs::path file() const { return golden->path / "model.safetensors"; }
  fs::path config() const { return golden->path / "model"; }
  test::TemporaryFolder folder;
};
INSTANTIATE_TEST_SUITE_P(Peers, SingleFileGolden, testing::Values("peers/sd1", "peers/sd2", "peers/sdxl"), golden_name);

TEST_P(SingleFileGolden, HoldsTheFoldersWeightsToTheBitAndNothingUnknown) {
  const auto single = must(BaseModel::open(file(), {.config = config()}));
  EXPECT_EQ(single.layout(), ModelLayout::original_file);
  EXPECT_THAT(single.notes(), IsEmpty());
  expect_equal_weights(must(BaseModel::open(config())), single);
}

TEST_P(SingleFileGolden, GivesTheValuesOfDiffusers) {
  test::expect_goldens(*must(load_stable_diffusion(file(), {}, {.config = config()})), *golden);
}

TEST_P(SingleFileGolden, IsWrittenFromAFolderWithAllThatReadersLookFor) {
  const auto base = must(BaseModel::open(config()));
  must(write_model(base, {}, folder / "out.safetensors", {.title = "anna"}));
  const auto written = must(BaseModel::open(folder / "out.safetensors", {.config = config()}));
  EXPECT_THAT(written.notes(), IsEmpty());
  expect_equal_weights(base, written);
  const auto theirs = must(Safetensors::open(file())), ours = must(Safetensors::open(folder / "out.safetensors"));
  for (const auto& [key, entry] : ours.entries()) {
    ASSERT_TRUE(theirs.entries().contains(key)) << key;
    EXPECT_EQ(entry.shape, theirs.entries().at(key).shape) << key;
  }
  EXPECT_EQ(ours.metadata().at("modelspec.title"), "anna");
  EXPECT_EQ(ours.metadata().at("modelspec.prediction_type"), GetParam() == "peers/sd2" ? "v" : "epsilon");
}

TEST_P(SingleFileGolden, IsWrittenAsAFolder) {
  const auto base = must(BaseModel::open(file(), {.config = config()}));
  must(write_model(base, {}, folder / "out/"));
  const auto written = must(BaseModel::open(folder / "out"));
  expect_equal_weights(base, written);
  for (const auto& name : must(config_files(config()))) {
    EXPECT_EQ(test::bytes_of(folder / "out" / name), test::bytes_of(config() / name)) << name;
  }
}

TEST_P(SingleFileGolden, KeepsEveryOtherByteWhenSomeWeightsChange) {
  const auto base = must(BaseModel::open(file(), {.config = config()}));
  auto text = must(base.weights(ModelPart::text_encoder));
  const std::string name = "text_model.encoder.layers.1.self_attn.k_proj.weight";
  text[name] = text[name] + 1;
  must(write_model(base, replaced_by(PartWeights{{ModelPart::text_encoder, text}}), folder / "out.safetensors"));
  const auto before = test::read_all(file()), after = test::read_all(folder / "out.safetensors");
  ASSERT_EQ(before.size(), after.size());
  int changed = 0;
  for (const auto& [key, tensor] : before) changed += after.at(key).equal(tensor) ? 0 : 1;
  EXPECT_EQ(changed, 1);
  const auto again = must(BaseModel::open(folder / "out.safetensors", {.config = config()}));
  EXPECT_TRUE(must(again.weights(ModelPart::text_encoder)).at(name).equal(text[name]));
  must(write_model(base, {}, folder / "copy.safetensors"));
  EXPECT_EQ(test::bytes_of(folder / "copy.safetensors"), test::bytes_of(file()));
}

/// Runs what diffusers makes of our folder and our file against what we make of the base.
class PythonSingleFile : public SingleFileGolden {};
INSTANTIATE_TEST_SUITE_P(Three, PythonSingleFile, testing::Values("peers/sd1", "peers/sd2", "peers/sdxl"), golden_name);

TEST_P(PythonSingleFile, AndFolderAreLoadedByDiffusersWithTheSameOutputs) {
  ATELIER_REQUIRE_VENV();
  const auto from_folder = must(BaseModel::open(config()));
  const auto from_file = must(BaseModel::open(file(), {.config = config()}));
  must(write_model(from_folder, {}, folder / "made.safetensors"));
  must(write_model(from_file, {}, folder / "made/"));
  for (const fs::path& model : {folder / "made.safetensors", folder / "made"}) {
    const fs::path out = folder / (model.filename().string() + ".out");
    ASSERT_TRUE(
        test::run_python("model_in_diffusers.py", {model, config(), golden->path / "goldens.safetensors", out}));
    const auto theirs = test::read_all(out);
    EXPECT_TRUE(test::near(theirs.at("unet"), (*golden)["unet.out"], 1e-5)) << model;
    EXPECT_TRUE(test::near(theirs.at("context"), (*golden)["unet.context"], 1e-5)) << model;
    EXPECT_TRUE(test::near(theirs.at("mean"), (*golden)["vae.mean"], 1e-5)) << model;
  }
}

/// Files of the published make in small, with random weights and no configuration beside them.
class PlainFile : public testing::TestWithParam<Architecture> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    weights = test::original_weights(model(), 7);
  }
  DetectedModel model() const {
    return test::small(GetParam() == Architecture::sd1   ? test::published_sd1()
                       : GetParam() == Architecture::sd2 ? test::published_sd2()
                                                         : test::published_sdxl());
  }
  BaseModel open(OpenOptions options = {}) const {
    must(write_safetensors(file, weights, metadata));
    options.tokenizer = kClip;
    return must(BaseModel::open(file, options));
  }
  test::TemporaryFolder folder;
  const fs::path file = folder / "base.safetensors";
  WeightMap weights;
  Metadata metadata;
};
INSTANTIATE_TEST_SUITE_P(Kinds, PlainFile, testing::Values(Architecture::sd1, Architecture::sd2, Architecture::sdxl),
                         [](const auto& kind) { return "Kind" + std::to_string(static_cast<int>(kind.param)); });

TEST_P(PlainFile, BecomesAFolderThatGivesTheSameOutputs) {
  const auto base = open();
  must(write_model(base, {}, folder / "out/"));
  const auto written = must(BaseModel::open(folder / "out"));
  EXPECT_EQ(unet_json(written.unet_config()), unet_json(base.unet_config()));
  EXPECT_EQ(scheduler_json(written.scheduler_config()), scheduler_json(base.scheduler_config()));
  expect_equal_weights(base, written);
  const std::vector<std::string> texts{"a portrait of sks person", ""};
  const auto one = must(must(base.text_encoders())->encode_captions(texts));
  const auto two = must(must(written.text_encoders())->encode_captions(texts));
  EXPECT_TRUE(one.context.equal(two.context)) << "padding goes with the tokenizer";
}

TEST_P(PlainFile, ComesBackFromAFolderWithTheSameKeys) {
  const auto base = open();
  must(write_model(base, {}, folder / "out/"));
  must(write_model(must(BaseModel::open(folder / "out")), {}, folder / "back.safetensors"));
  const auto back = test::read_all(folder / "back.safetensors");
  EXPECT_EQ(back.size(), weights.size());
  for (const auto& [key, tensor] : weights) {
    const bool unused = key.find("resblocks.2.") != std::string::npos && GetParam() == Architecture::sd2;
    ASSERT_TRUE(back.contains(key)) << key;
    EXPECT_TRUE(unused || back.at(key).equal(tensor)) << key;
  }
}

TEST_P(PlainFile, PadsAsItsTextEncodersWereTrained) {
  const auto text = must(open().text_encoders());
  EXPECT_EQ((*text)[0].tokenizer->padding_id(), GetParam() == Architecture::sd2 ? 0 : 49407);
  for (std::size_t i = 1; i < text->size(); ++i) EXPECT_EQ((*text)[i].tokenizer->padding_id(), 0);
}

TEST_P(PlainFile, TellsWhatItPredictsAndTakesWhatIsAsked) {
  const auto named = [&](const std::string& rest) { return ElementsAre(file.string() + ": predicts " + rest); };
  const bool sd2 = GetParam() == Architecture::sd2;
  EXPECT_THAT(open().notes(),
              named(sd2 ? "v_prediction: nothing in the file says otherwise; if it is an SD 2 base (512 "
                          "px), give prediction_type: epsilon"
                        : "epsilon: nothing in the file says otherwise"));
  EXPECT_EQ(open().unet_config().sample_size, sd2 ? 96 : GetParam() == Architecture::sdxl ? 128 : 64);
  const auto asked = open({.prediction_type = PredictionType::v_prediction});
  EXPECT_EQ(asked.scheduler_config().prediction_type, PredictionType::v_prediction);
  EXPECT_THAT(asked.notes(), named("v_prediction: as was asked for"));
}

TEST_P(PlainFile, IsWrittenInAnotherDtype) {
  const auto base = open();
  weights["alphas_cumprod"] = at::zeros({1000});
  must(write_model(open(), {}, folder / "out.safetensors", {.dtype = at::kBFloat16}));
  for (const auto& [key, tensor] : test::read_all(folder / "out.safetensors")) {
    EXPECT_EQ(tensor.scalar_type(), key == "alphas_cumprod" ? at::kFloat : at::kBFloat16) << key;
  }
}

TEST_P(PlainFile, TellsMissingAndUnknownWeightsByTheirKeys) {
  weights["model.diffusion_model.extra"] = at::zeros({1});
  weights["model_ema.decay"] = at::zeros({1});
  EXPECT_THAT(open().notes(), testing::Contains(file.string() + ": 1 weight is not known and left out: "
                                                                "model.diffusion_model.extra"));
  weights.erase("first_stage_model.encoder.mid.attn_1.k.bias");
  must(write_safetensors(file, weights, {}));
  EXPECT_EQ(BaseModel::open(file).error().message,
            file.string() + ": 1 weight is missing: first_stage_model.encoder.mid.attn_1.k.bias");
}

TEST_P(PlainFile, TakesTheAttentionOfTheVaeUnderItsOtherNames) {
  auto before = must(open().weights(ModelPart::vae));
  for (auto& [name, tensor] : before) tensor = tensor.clone();  // the file is written while it is mapped
  for (const auto& [now, old] : {std::pair{".q.", ".query."}, std::pair{".k.", ".key."}, std::pair{".v.", ".value."},
                                 std::pair{".proj_out.", ".proj_attn."}}) {
    for (const char* end : {"weight", "bias"}) {
      const std::string at = "first_stage_model.encoder.mid.attn_1";
      weights[at + old + end] = weights.at(at + now + end).squeeze(-1).squeeze(-1);
      weights.erase(at + now + end);
    }
  }
  for (const auto& [name, tensor] : must(open().weights(ModelPart::vae)))
    EXPECT_TRUE(before.at(name).equal(tensor)) << name;
}

/// The file's UNet as LDM's LitEma writes averages: one module of buffers, whose names have no dots.
WeightMap averages_of(const WeightMap& weights) {
  const std::string start = "model.diffusion_model.";
  WeightMap averages{{"model_ema.decay", at::zeros({1})}, {"model_ema.num_updates", at::zeros({1})}};
  for (const auto& [key, tensor] : weights) {
    if (!key.starts_with(start)) continue;
    std::string name = key.substr(std::string("model.").size());
    std::erase(name, '.');
    averages["model_ema." + name] = tensor + 1;
  }
  return averages;
}

TEST_P(PlainFile, IsItsOwnWeightsWhereAveragesAreThereToo) {
  auto before = must(open().weights(ModelPart::unet));
  for (auto& [name, tensor] : before) tensor = tensor.clone();
  weights.merge(averages_of(weights));
  const auto both = open();
  EXPECT_FALSE(both.only_averages());
  for (const auto& [name, tensor] : must(both.weights(ModelPart::unet)))
    EXPECT_TRUE(before.at(name).equal(tensor)) << name;
  must(write_model(both, {}, folder / "out.safetensors"));
  EXPECT_EQ(test::bytes_of(folder / "out.safetensors"), test::bytes_of(file)) << "averages stay where they are";
}

TEST_P(PlainFile, ThatHasTheUNetAsAveragesAloneIsThose) {
  auto before = must(open().weights(ModelPart::unet));
  for (auto& [name, tensor] : before) tensor = tensor + 1;
  const auto unet_config = unet_json(open().unet_config());
  const auto averages = averages_of(weights);
  std::erase_if(weights, [](const auto& item) { return item.first.starts_with("model.diffusion_model."); });
  for (const auto& item : averages) weights.insert(item);
  const auto base = open();
  EXPECT_TRUE(base.only_averages());
  EXPECT_THAT(base.notes(),
              testing::Contains(file.string() + ": holds the UNet as running averages alone (model_ema), and those are "
                                                "used"));
  EXPECT_EQ(base.notes().size(), 2u) << "the other is what it predicts";
  EXPECT_EQ(unet_json(base.unet_config()), unet_config);
  const auto read = must(base.weights(ModelPart::unet));
  ASSERT_EQ(read.size(), before.size());
  for (const auto& [name, tensor] : read) EXPECT_TRUE(before.at(name).equal(tensor)) << name;

  // Written, its weights have the names that all tools read.
  must(write_model(base, {}, folder / "out.safetensors"));
  const auto written = must(BaseModel::open(folder / "out.safetensors", {.tokenizer = kClip}));
  EXPECT_FALSE(written.only_averages());
  expect_equal_weights(base, written);

  weights.erase("model_ema.diffusion_modelinput_blocks00bias");
  must(write_safetensors(file, weights, {}));
  EXPECT_EQ(BaseModel::open(file).error().message,
            file.string() + ": 1 weight is missing: model_ema.diffusion_modelinput_blocks00bias");
}

TEST_P(PlainFile, RefusesTheConfigurationOfAnotherArchitecture) {
  if (GetParam() == Architecture::sd1) GTEST_SKIP() << "the small base that ships with the tests is of this one";
  must(write_safetensors(file, weights, {}));
  const fs::path tiny = fs::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny/model";
  EXPECT_EQ(BaseModel::open(file, {.config = tiny}).error().message,
            file.string() + ": is " + (GetParam() == Architecture::sd2 ? "Stable Diffusion 2.x" : "SDXL") +
                ", the configurations in " + tiny.string() + " are of Stable Diffusion 1.x");
}

TEST(SingleFile, OfSdxlWithTheKeysOfVPredictionKeepsThemInBothLayouts) {
  const test::TemporaryFolder folder;
  auto weights = test::original_weights(test::small(test::published_sdxl()), 7);
  weights["v_pred"] = weights["ztsnr"] = at::empty({0});
  must(write_safetensors(folder / "base.safetensors", weights, {}));
  const auto base = must(BaseModel::open(folder / "base.safetensors", {.tokenizer = kClip}));
  EXPECT_EQ(base.scheduler_config().prediction_type, PredictionType::v_prediction);
  EXPECT_TRUE(base.scheduler_config().rescale_betas_zero_snr);
  EXPECT_EQ(base.scheduler_config().timestep_spacing, TimestepSpacing::trailing);
  EXPECT_THAT(base.notes(),
              ElementsAre((folder / "base.safetensors").string() +
                          ": predicts v_prediction over a schedule that ends in noise alone: the file has "
                          "the key v_pred"));
  must(write_model(base, {}, folder / "out/"));
  const auto scheduler = read_json(folder / "out/scheduler/scheduler_config.json");
  EXPECT_EQ(scheduler["prediction_type"], "v_prediction");
  EXPECT_EQ(scheduler["rescale_betas_zero_snr"], true);
  EXPECT_EQ(scheduler["timestep_spacing"], "trailing");
  must(write_model(must(BaseModel::open(folder / "out")), {}, folder / "back.safetensors"));
  const auto back = test::read_all(folder / "back.safetensors");
  EXPECT_TRUE(back.contains("v_pred"));
  EXPECT_TRUE(back.contains("ztsnr"));
}

TEST(SingleFile, ThatIsAPickleIsRefused) {
  const test::TemporaryFolder folder;
  test::put_bytes(folder / "base.ckpt", "PK");
  EXPECT_EQ(BaseModel::open(folder / "base.ckpt").error().message,
            (folder / "base.ckpt").string() +
                ": a pickle, which runs code of whoever made it when it is opened, so it is refused; convert it with a "
                "tool you trust, for instance safetensors' convert.py, and give the .safetensors file");
}

TEST(SingleFile, WithoutATokenizerBesideItSaysSo) {
  const test::TemporaryFolder folder;
  const fs::path file = folder / "base.safetensors";
  must(write_safetensors(file, test::original_weights(test::small(test::published_sd1()), 7), {}));
  EXPECT_EQ(must(BaseModel::open(file)).text_encoders().error().message,
            file.string() + ": holds no tokenizer, and none was given beside it");
}

TEST(SingleFile, WithAPredictionTypeThatWasAskedForSaysItWhenItIsWritten) {
  const test::TemporaryFolder folder;
  const fs::path file = folder / "base.safetensors";
  must(write_safetensors(file, test::original_weights(test::small(test::published_sd1()), 7), {{"a", "b"}}));
  const auto base = must(BaseModel::open(file, {.prediction_type = PredictionType::v_prediction, .tokenizer = kClip}));
  must(write_model(base, {}, folder / "out.safetensors"));
  EXPECT_EQ(must(Safetensors::open(folder / "out.safetensors")).metadata(),
            (Metadata{{"a", "b"}, {"modelspec.prediction_type", "v"}}));
  must(write_model(base, {}, folder / "out/"));
  EXPECT_EQ(read_json(folder / "out/scheduler/scheduler_config.json")["prediction_type"], "v_prediction");
}

}  // namespace
}  // namespace atelier::diffusion
