#include "diffusion/base_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "diffusion/lora_format.h"
#include "diffusion/lora_fuse.h"
#include "diffusion/model_write.h"
#include "golden_unet.h"
#include "goldens.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

const fs::path kTiny = fs::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny/model";
constexpr const char* kUNetFile = "unet/diffusion_pytorch_model.safetensors";

/// A copy of the golden model to spoil.
class BaseModelTest : public testing::Test {
 protected:
  void SetUp() override { fs::copy(kTiny, model, fs::copy_options::recursive); }

  void edit(const std::string& file, const std::string& key, const nlohmann::json& value) {
    auto json = read_json(model / file);
    json[key] = value;
    test::put_bytes(model / file, json.dump());
  }
  /// What opening says, without the folder before it.
  std::string error() {
    const auto opened = BaseModel::open(model);
    if (opened) return "";
    const std::string& text = opened.error().message;
    EXPECT_TRUE(text.starts_with(model.string())) << text;
    return text.substr(model.string().size());
  }

  test::TemporaryFolder folder;
  const fs::path model = folder / "model";
};

TEST_F(BaseModelTest, ListsTheFilesThatMakeUpTheModelAndNoOthers) {
  test::put_bytes(model / "safety_checker/model.safetensors", "x");
  test::put_bytes(model / "unet/diffusion_pytorch_model.fp16.safetensors", "x");
  test::put_bytes(model / "unet/diffusion_pytorch_model.bin", "x");
  test::put_bytes(model / "tokenizer/special_tokens_map.json", "{}");
  test::put_bytes(model / "README.md", "x");
  std::vector<std::string> names;
  const auto opened = must(BaseModel::open(model));
  for (const auto& file : opened.files()) names.push_back(file.string());
  EXPECT_THAT(names, testing::ElementsAre("model_index.json", "scheduler/scheduler_config.json",
                                          "text_encoder/config.json", "text_encoder/model.safetensors",
                                          "tokenizer/merges.txt", "tokenizer/special_tokens_map.json",
                                          "tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "unet/config.json",
                                          kUNetFile, "vae/config.json", "vae/diffusion_pytorch_model.safetensors"));
}

TEST_F(BaseModelTest, LoadsTheWholeModelOnce) {
  const auto loaded = must(load_stable_diffusion(model));
  EXPECT_EQ(loaded->architecture, Architecture::sd1);
  EXPECT_EQ(loaded->unet->config().levels.size(), 3u);
  const std::vector<std::string> texts{"a photo of <sks> person, red scarf, looking at viewer"};
  const auto goldens = test::read_all(kTiny / "../goldens.safetensors");
  EXPECT_TRUE(
      test::near(must(loaded->text->encode_captions(texts)).context, goldens.at("text0.last").narrow(0, 0, 1), 1e-5));
}

TEST_F(BaseModelTest, TakesAHalfPrecisionVariantWhereItIsAllThereIs) {
  fs::rename(model / kUNetFile, model / "unet/diffusion_pytorch_model.fp16.safetensors");
  const auto base = must(BaseModel::open(model));
  const auto variant = model / "unet/diffusion_pytorch_model.fp16.safetensors";
  EXPECT_THAT(base.stored(ModelPart::unet).files, testing::ElementsAre(variant));
  EXPECT_THAT(base.files(), testing::Contains(fs::path("unet/diffusion_pytorch_model.fp16.safetensors")));
  must(write_model(base, {}, folder / "copy/"));
  EXPECT_EQ(test::bytes_of(folder / "copy" / kUNetFile), test::bytes_of(variant))
      << "under the name diffusers looks for";
  must(BaseModel::open(folder / "copy"));
}

TEST_F(BaseModelTest, RefusesWhatIsNoDiffusersFolder) {
  EXPECT_EQ(BaseModel::open(folder / "none").error().message, (folder / "none").string() + ": no such folder or file");
  fs::remove(model / "model_index.json");
  EXPECT_EQ(error(), ": is not a diffusers folder: it has no model_index.json");
  test::put_bytes(model / "model_index.json", "{");
  EXPECT_EQ(error(), "/model_index.json: is not a JSON object");
}

TEST_F(BaseModelTest, RefusesAnotherPipelineByName) {
  edit("model_index.json", "_class_name", "StableDiffusion3Pipeline");
  EXPECT_EQ(error(),
            "/model_index.json: '_class_name' is \"StableDiffusion3Pipeline\", which is not supported; supported: "
            "\"StableDiffusionPipeline\", \"StableDiffusionImg2ImgPipeline\", \"StableDiffusionXLPipeline\", "
            "\"StableDiffusionXLImg2ImgPipeline\"");
}

TEST_F(BaseModelTest, RefusesWeightsThatAreMissingOrPickled) {
  fs::remove(model / kUNetFile);
  EXPECT_EQ(error(), "/unet/diffusion_pytorch_model.safetensors: is missing");
  test::put_bytes(model / "unet/diffusion_pytorch_model.bin", "x");
  EXPECT_EQ(error(),
            "/unet/diffusion_pytorch_model.bin: a pickle, which runs code of whoever made it when it is opened, so "
            "it is refused; convert it with a tool you trust, for instance safetensors' convert.py, and give the "
            ".safetensors file");
}

TEST_F(BaseModelTest, RefusesPartsThatDoNotFitTogether) {
  edit("unet/config.json", "cross_attention_dim", 32);
  EXPECT_EQ(error(),
            ": the UNet attends to 32 numbers a token (cross_attention_dim), the text encoder gives 16 (hidden_size)");
  edit("unet/config.json", "cross_attention_dim", 16);
  edit("unet/config.json", "in_channels", 6);
  EXPECT_EQ(error(),
            ": the UNet has 6 channels in and 4 out, the VAE 4 (latent_channels); inpainting and other variants are "
            "not supported");
}

TEST_F(BaseModelTest, TellsMissingAndMisshapenWeightsByName) {
  const std::string file = (model / kUNetFile).string();
  const auto stored = must(must(BaseModel::open(model)).weights(ModelPart::unet));
  WeightMap copy;
  for (const auto& [name, tensor] : stored) copy[name] = tensor.clone();  // the file is written while it is mapped
  auto spoilt = copy;
  spoilt.erase("conv_in.weight");
  must(write_safetensors(file, spoilt, {}));
  EXPECT_EQ(error(), std::string("/") + kUNetFile + ": 1 weight is missing: conv_in.weight");
  std::erase_if(spoilt, [](const auto& item) { return item.first.starts_with("mid_block.resnets.0."); });
  must(write_safetensors(file, spoilt, {}));
  EXPECT_EQ(error(), std::string("/") + kUNetFile +
                         ": 11 weights are missing: conv_in.weight, mid_block.resnets.0.norm1.weight, "
                         "mid_block.resnets.0.norm1.bias, mid_block.resnets.0.conv1.weight, "
                         "mid_block.resnets.0.conv1.bias and 6 more");
  spoilt = copy;
  spoilt["conv_in.bias"] = at::zeros({3});
  must(write_safetensors(file, spoilt, {}));
  EXPECT_EQ(must(BaseModel::open(model)).unet().error().message,
            file + ": 1 weight has the wrong shape: conv_in.bias is [3] where the configuration asks for [16]");
  spoilt = copy;
  spoilt["conv_in.bias"][2] = std::nan("");
  must(write_safetensors(file, spoilt, {}));
  EXPECT_EQ(must(BaseModel::open(model)).unet().error().message,
            file + ": tensor 'conv_in.bias' holds a NaN: the file is damaged, or its training diverged");
}

TEST_F(BaseModelTest, TellsWeightsThatItDoesNotKnowAndGoesOnWithoutThem) {
  WeightMap copy;
  for (const auto& [name, tensor] : must(must(BaseModel::open(model)).weights(ModelPart::unet))) {
    copy[name] = tensor.clone();
  }
  for (int i = 0; i < 7; ++i) copy["extra." + std::to_string(i)] = at::zeros({3});
  must(write_safetensors(model / kUNetFile, copy, {}));
  const auto base = must(BaseModel::open(model));
  EXPECT_THAT(base.notes(),
              testing::ElementsAre((model / kUNetFile).string() + ": 7 weights are not known and left out: extra.0, "
                                                                  "extra.1, extra.2, extra.3, extra.4 and 2 more"));
  EXPECT_TRUE(base.unet());
}

TEST_F(BaseModelTest, WritesAModelWithOtherWeightsAndAllElseByteForByte) {
  const auto base = must(BaseModel::open(model));
  auto weights = must(base.weights(ModelPart::unet));
  weights["conv_in.bias"] = weights["conv_in.bias"] + 1;
  must(write_model(base, replaced_by(PartWeights{{ModelPart::unet, weights}}), folder / "fused"));
  for (const auto& file : base.files()) {
    EXPECT_EQ(test::bytes_of(model / file) == test::bytes_of(folder / "fused" / file), file != kUNetFile) << file;
  }
  const auto fused = test::read_all(folder / "fused" / kUNetFile);
  ASSERT_EQ(fused.size(), weights.size());
  for (const auto& [name, tensor] : weights) {
    EXPECT_EQ(fused.at(name).scalar_type(), at::kHalf);
    EXPECT_TRUE(fused.at(name).equal(tensor)) << name;
  }
  EXPECT_EQ(must(Safetensors::open(folder / "fused" / kUNetFile)).metadata(),
            must(Safetensors::open(model / kUNetFile)).metadata());
  must(write_model(base, replaced_by(PartWeights{{ModelPart::unet, weights}}), folder / "again"));
  EXPECT_EQ(test::bytes_of(folder / "fused" / kUNetFile), test::bytes_of(folder / "again" / kUNetFile));
}

TEST_F(BaseModelTest, WritesAFusedModelThatPredictsWhatTheBasePredictsWithTheLora) {
  const GoldenFolder golden(kTiny.parent_path());
  const auto base = must(BaseModel::open(model));
  const Lora lora = must(read_lora(golden.path / "lora_kohya.safetensors"));
  const WeightedLora terms[] = {{&lora, 1.0}};
  const auto fused = must(fuse(must(base.weights(ModelPart::unet)), LoraPart::unet, terms));
  must(write_model(base, replaced_by(PartWeights{{ModelPart::unet, fused}}), folder / "fused"));
  const auto unet = must(must(BaseModel::open(folder / "fused")).unet());
  const at::NoGradGuard no_grad;
  const auto out = unet->forward({golden["unet.sample"], golden["unet.t"], golden["unet.context"]});
  EXPECT_TRUE(test::near(out, golden["lora.unet.out"], 5e-3)) << "float16 weights round the sum";
  EXPECT_FALSE(test::near(out, golden["unet.out"], 5e-2)) << "the base alone predicts something else";
}

TEST_F(BaseModelTest, WritesAnIndexWithoutThePartsThatItLeavesOut) {
  edit("model_index.json", "safety_checker", {"stable_diffusion", "StableDiffusionSafetyChecker"});
  edit("model_index.json", "requires_safety_checker", true);
  must(write_model(must(BaseModel::open(model)), {}, folder / "copy"));
  const auto index = read_json(folder / "copy/model_index.json");
  EXPECT_EQ(index["safety_checker"], nlohmann::json({nullptr, nullptr}));
  EXPECT_EQ(index["requires_safety_checker"], false);
  EXPECT_EQ(index["unet"], nlohmann::json({"diffusers", "UNet2DConditionModel"}));
}

TEST_F(BaseModelTest, RefusesToWriteWhatIsNotTheBasesLayout) {
  const auto base = must(BaseModel::open(model));
  const std::string file = (model / kUNetFile).string();
  int n = 0;
  const auto error_with = [&](const std::function<void(WeightMap&)>& spoil) {
    auto weights = must(base.weights(ModelPart::unet));
    spoil(weights);
    const auto written =
        write_model(base, replaced_by(PartWeights{{ModelPart::unet, weights}}), folder / std::to_string(n++));
    return written ? "" : written.error().message;
  };
  EXPECT_EQ(error_with([](auto& w) { w["new"] = w["conv_in.bias"]; }), file + ": has no weight 'new' to change");
  EXPECT_EQ(error_with([](auto& w) { w["conv_in.bias"] = at::zeros({3}); }),
            "weight 'conv_in.bias' is [16], the changed one is [3]");
  EXPECT_EQ(error_with([](auto& w) { w["conv_in.bias"] = at::full({16}, 1e6); }),
            "weight 'conv_in.bias' holds NaN or infinite numbers, or numbers too large for float16");
  EXPECT_EQ(write_model(base, {}, model).error().message, model.string() + ": is not empty");
}

}  // namespace
}  // namespace atelier::diffusion
