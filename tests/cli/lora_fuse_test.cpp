// `atelier lora fuse`.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "diffusion/base_model.h"
#include "diffusion/lora_fuse.h"
#include "lora_files.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using diffusion::BaseModel;
using diffusion::Lora;
using diffusion::ModelPart;
using testing::HasSubstr;

constexpr std::size_t kHeaderLength = 8;

/// Two LoRAs for the tiny base, and that base as one file.
class LoraFuseCommand : public LoraCommand {
 protected:
  LoraFuseCommand() {
    const auto made = atelier({"model", "convert", tiny.string(), base.string()});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    one = lora_for_base();
    two = lora_for_base();
    write_kohya(path("one.safetensors"), one);
    write_kohya(path("two.safetensors"), two);
  }

  Lora lora_for_base() {
    const auto model = must(BaseModel::open(tiny));
    Lora lora;
    lora.base = diffusion::LoraBase{};
    for (const auto& [name, weight] : must(model.weights(ModelPart::unet)))
      if (name.ends_with(".to_q.weight") || name.ends_with(".conv1.weight"))
        lora.layers[name.substr(0, name.size() - 7)] = random.layer(weight.sizes().vec());
    return lora;
  }

  diffusion::WeightMap unet_in(const fs::path& model) {
    return must(must(BaseModel::open(model, {.config = tiny})).weights(ModelPart::unet));
  }

  void expect_unet(const fs::path& model, const diffusion::FuseOptions& options = {}) {
    const std::vector<diffusion::WeightedLora> terms = {{&one, 0.6}, {&two, 0.9}};
    const auto wanted = must(diffusion::fuse(unet_in(base), diffusion::LoraPart::unet, terms, options));
    for (const auto& [name, weight] : unet_in(model)) EXPECT_TRUE(at::equal(weight, wanted.at(name))) << name;
  }

  std::string data_hash(const fs::path& file) {
    const std::string bytes = read_file(file);
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), kHeaderLength);
    return sha256(bytes.substr(kHeaderLength + header)).hex();
  }

  const fs::path base = path("base.safetensors");
  Lora one, two;
};

TEST_F(LoraFuseCommand, WritesAFileWithTheSumAndWhereItCameFrom) {
  const auto told = lora_output({"fuse", "base.safetensors", "one.safetensors:0.6", "two.safetensors:0.9", "--config",
                                 tiny.string(), "-o", "out.safetensors"});
  EXPECT_EQ(told, "out.safetensors: Stable Diffusion 1.x with 2 LoRAs, one file in the original layout\n");
  expect_unet(out);
  const auto metadata = metadata_in(out);
  EXPECT_EQ(metadata.at("modelspec.hash_sha256"), "0x" + data_hash(out));
  EXPECT_EQ(metadata.at("modelspec.title"), "out");
  const auto operation = nlohmann::json::parse(metadata.at("atelier.operation"));
  EXPECT_EQ(operation["name"], "fuse");
  EXPECT_EQ(operation["inputs"]["base"]["sha256"], sha256(read_file(base)).hex());
  EXPECT_EQ(operation["inputs"]["lora"][0]["sha256"], data_hash(path("one.safetensors")));
  EXPECT_EQ(operation["inputs"]["lora"][1]["weight"], 0.9);
}

TEST_F(LoraFuseCommand, WritesADiffusersFolder) {
  const auto told = lora_output({"fuse", tiny.string(), "one.safetensors:0.6", "two.safetensors:0.9", "-o", "out/"});
  EXPECT_EQ(told, "out/: Stable Diffusion 1.x with 2 LoRAs, a diffusers folder\n");
  expect_unet(path("out"));
}

TEST_F(LoraFuseCommand, MergesByAMethodAndInAnotherNumberFormat) {
  lora_output({"fuse", tiny.string(), "one.safetensors:0.6", "two.safetensors:0.9", "--method", "ties", "--density",
               "0.5", "--dtype", "float32", "-o", "out.safetensors"});
  expect_unet(out, {.method = diffusion::Ties{0.5}, .dtype = at::kFloat});
}

TEST_F(LoraFuseCommand, GivesTheSameBytesOnOneThreadAndOnTwo) {
  std::vector<std::string> files;
  for (const char* threads : {"1", "2"}) {
    setenv("OMP_NUM_THREADS", threads, 1);
    lora_output({"fuse", tiny.string(), "one.safetensors", "-o", "out.safetensors"});
    files.push_back(read_file(out));
  }
  unsetenv("OMP_NUM_THREADS");
  EXPECT_EQ(files[0], files[1]);
}

struct WrongFusion {
  const char* name;
  std::vector<std::string> words;
  std::string told;
};

class EachWrongFusion : public LoraFuseCommand, public testing::WithParamInterface<WrongFusion> {
 protected:
  EachWrongFusion() {
    write_kohya(path("other.safetensors"), first);
    Lora large = one;
    for (auto& [name, layer] : large.layers) layer.b = layer.b * 1e7;
    write_kohya(path("large.safetensors"), large);
    Lora sdxl = one;
    sdxl.base = diffusion::LoraBase{diffusion::Architecture::sdxl};
    write_kohya(path("sdxl.safetensors"), sdxl);
    fs::create_directories(path("full") / "x");
    fs::copy(tiny, path("copy"), fs::copy_options::recursive);
  }
};

TEST_P(EachWrongFusion, IsToldAndNothingIsWritten) {
  const auto before = outputs_of(folder.path());
  auto words = GetParam().words;
  words.insert(words.begin(), "fuse");
  words.insert(words.end(), {"--config", tiny.string()});
  const auto finished = lora(words);
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, GetParam().told);
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(outputs_of(folder.path()), before);
}

const std::string kBase = "base.safetensors", kOne = "one.safetensors", kOut = "out.safetensors";

const WrongFusion fusions[] = {
    {"NoBase", {"none.safetensors", kOne, "-o", kOut}, "atelier lora fuse: none.safetensors: no such folder or file\n"},
    {"OutIsTheBase",
     {kBase, kOne, "-o", kBase},
     "atelier lora fuse: base.safetensors: is an input too, which stays as it is; give another name\n"},
    {"OutIsAFileOfTheBase",
     {"copy", kOne, "-o", "copy/unet/diffusion_pytorch_model.safetensors"},
     "atelier lora fuse: copy/unet/diffusion_pytorch_model.safetensors: is an input too, which stays as it is; give "
     "another name\n"},
    {"OutIsAFolderWithSomethingInIt",
     {kBase, kOne, "-o", "full/"},
     "atelier lora fuse: full/: is there already and not an empty folder; give another name, or remove it first\n"},
    {"NoSuchFolder",
     {kBase, kOne, "-o", "none/out.safetensors"},
     "atelier lora fuse: none/out.safetensors: there is no such folder to write it into; make the folder first\n"},
    {"ALoraOfAnotherBase",
     {kBase, kOne, "other.safetensors", "-o", kOut},
     "atelier lora fuse: other.safetensors: LoRA layer 'down_blocks.0.attentions.0.proj_in': changes a weight of shape "
     "[14, 18, 1, 1], the base model's is [16, 16, 1, 1]\n"},
    {"ALoraOfAnotherArchitecture",
     {kBase, "sdxl.safetensors", "-o", kOut},
     "atelier lora fuse: sdxl.safetensors was made for SDXL, the base is Stable Diffusion 1.x\n"},
    {"ANegativeWeight",
     {kBase, kOne + ":-1", "-o", kOut},
     "atelier lora fuse: one.safetensors: its weight -1 is negative; to take a LoRA away, use 'atelier lora diff'\n"},
    {"BlocksThatAreNotThere",
     {kBase, kOne, "--blocks", "up_blocks.9=0.5", "-o", kOut},
     "atelier lora fuse: one.safetensors: block weight 'up_blocks.9=0.5': the LoRA has no such layer; its layers are "
     "such "
     "as 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q'\n"},
    {"NumbersTooLargeForFloat16",
     {kBase, "large.safetensors:10", "-o", kOut},
     "atelier lora fuse: weight 'down_blocks.0.resnets.0.conv1.weight' holds NaN or infinite numbers, or numbers too "
     "large for float16\n"},
};
INSTANTIATE_TEST_SUITE_P(Fusions, EachWrongFusion, testing::ValuesIn(fusions),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace atelier::test
