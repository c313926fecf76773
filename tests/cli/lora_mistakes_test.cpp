// What `atelier lora` says to a user who is wrong, and that it then writes nothing.
#include <gmock/gmock.h>

#include <fstream>

#include "lora_files.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using diffusion::Lora;

/// Files of every kind that is wrong in some way, beside two that are right, under short names.
class LoraMistakes : public LoraCommand {
 protected:
  LoraMistakes() {
    write_strange_bytes();
    write_strange_tensors();
    write_strange_layers();
    for (const char* name : {"loha", "dora"})
      fs::copy(kGoldens / "lycoris" / (std::string(name) + ".safetensors"), path(std::string(name) + ".safetensors"));
    fs::copy(tiny, path("sd1"), fs::copy_options::recursive);
    fs::copy(kGoldens / "sdxl_tiny/model", path("sdxl"), fs::copy_options::recursive);
    fs::create_symlink("a.safetensors", path("link.safetensors"));
    fs::create_directory(path("full"));
    std::ofstream(path("full") / "x") << "x";
  }

  void write_strange_bytes() {
    const std::string bytes = read_file(a);
    std::ofstream(path("cut.safetensors"), std::ios::binary) << bytes.substr(0, bytes.size() / 2);
    std::ofstream(path("text.safetensors")) << "this is no LoRA at all";
    std::ofstream(path("pickle.safetensors"), std::ios::binary) << "PK\x03\x04 and so on";
    std::ofstream(path("a.ckpt"), std::ios::binary) << bytes;
  }

  void write_strange_tensors() {
    auto file = diffusion::to_kohya(first, {});
    const std::string key = "lora_unet_down_blocks_0_attentions_0_proj_in";
    write_changed("nan", file, key + ".lora_up.weight", [](at::Tensor& up) { up.flatten()[3] = NAN; });
    write_changed("unpaired", file, key + ".lora_up.weight", [](at::Tensor& up) { up = at::Tensor(); });
    write_changed("unknown", file, key + ".lora_pu.weight", [](at::Tensor& up) { up = at::ones({8, 1}); });
    write_changed("stray", file, "lora_unet_down_blocks_0_attentions_0_porj_in.alpha",
                  [](at::Tensor& alpha) { alpha = at::ones({}); });
    write_changed("misfit", file, key + ".lora_up.weight", [](at::Tensor& up) { up = at::ones({8, 99, 1, 1}); });
    write_tensors(path("model.safetensors"), {{"conv_in.weight", at::ones({8, 4, 3, 3})}});
  }

  template <class Change>
  void write_changed(const std::string& name, diffusion::LoraFile file, const std::string& key, const Change& change) {
    at::Tensor tensor = file.tensors.contains(key) ? file.tensors[key].clone() : at::Tensor();
    change(tensor);
    file.tensors[key] = tensor;
    if (!tensor.defined()) file.tensors.erase(key);
    write_tensors(path(name + ".safetensors"), file.tensors, file.metadata);
  }

  void write_strange_layers() {
    Lora wide = first, zero = first, rank0 = first;
    for (auto& [name, layer] : wide.layers) layer = random.layer({77, 99});
    for (auto& [name, layer] : zero.layers) layer.b = at::zeros_like(layer.b);
    auto& layer = rank0.layers.begin()->second;
    layer = {.a = layer.a.slice(0, 0, 0), .b = layer.b.slice(1, 0, 0), .alpha = 1};
    Lora of_sdxl = first;
    of_sdxl.base = diffusion::LoraBase{.architecture = diffusion::Architecture::sdxl};
    write_kohya(path("sdxl.safetensors"), of_sdxl);
    write_kohya(path("wide.safetensors"), wide);
    write_kohya(path("zero.safetensors"), zero);
    write_kohya(path("rank0.safetensors"), rank0);
  }
};

struct Mistake {
  const char* name;
  std::vector<std::string> words;
  std::string told;
};

void PrintTo(const Mistake& mistake, std::ostream* stream) { *stream << mistake.name; }

class EachLoraMistake : public LoraMistakes, public testing::WithParamInterface<Mistake> {};

TEST_P(EachLoraMistake, IsToldAndNothingIsWritten) {
  const auto before = outputs_of(folder.path());
  const auto finished = lora(GetParam().words);
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, GetParam().told);
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(outputs_of(folder.path()), before);
}

const std::string kA = "a.safetensors", kB = "b.safetensors", kOut = "out.safetensors";

Mistake resize_of(const char* name, const std::string& file, const std::string& told) {
  return {name, {"resize", file, "-o", kOut, "--rank", "2"}, "atelier lora resize: " + told};
}

const Mistake files[] = {
    resize_of("NoFile", "none.safetensors", "none.safetensors: cannot be opened: No such file or directory\n"),
    resize_of("ATruncatedFile", "cut.safetensors",
              "cut.safetensors: tensor 'lora_unet_down_blocks_1_attentions_0_proj_in.alpha' ends at byte 5264 of the "
              "data, which has 5262: the file is cut off or damaged\n"),
    resize_of("AText", "text.safetensors",
              "text.safetensors: not a safetensors file, or cut off: its header would have 2338328219631577204 bytes, "
              "the file has 22\n"),
    resize_of(
        "APickle", "pickle.safetensors",
        "pickle.safetensors: a pickle, which runs code of whoever made it when it is opened, so it is refused; convert "
        "it with a tool you trust, for instance safetensors' convert.py, and give the .safetensors file\n"),
    resize_of("APickleByName", "a.ckpt",
              "a.ckpt: a pickle, which runs code of whoever made it when it is opened, so it is refused; convert it "
              "with a tool you trust, for instance safetensors' convert.py, and give the .safetensors file\n"),
    resize_of("AModel", "model.safetensors",
              "model.safetensors: LoRA key 'conv_in.weight' is in no naming that is known\n"),
    resize_of("AFolderWithoutALora", "full",
              "full: is a folder without a LoRA; expected are adapter_model.safetensors or "
              "pytorch_lora_weights.safetensors, or folders unet, text_encoder, text_encoder_2 with one\n"),
    resize_of("NaN", "nan.safetensors",
              "nan.safetensors: tensor 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight' holds a NaN: the "
              "file is damaged, or its training diverged\n"),
    resize_of("AnUnpairedKey", "unpaired.safetensors",
              "unpaired.safetensors: LoRA key 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight': its "
              "other half, up, is missing\n"),
    resize_of(
        "AnUnknownKey", "unknown.safetensors",
        "unknown.safetensors: LoRA key 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_pu.weight' is in no naming "
        "that is known; the nearest that is known is 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight'\n"),
    resize_of("AnAlphaOfNoLayer", "stray.safetensors",
              "stray.safetensors: LoRA key 'lora_unet_down_blocks_0_attentions_0_porj_in.alpha': both halves of its "
              "layer, down and up, are missing\n"),
    resize_of("FactorsThatDoNotFit", "misfit.safetensors",
              "misfit.safetensors: LoRA key 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight': down of "
              "shape [7, 18, 1, 1] and up of shape [8, 99, 1, 1] do not fit together\n"),
    resize_of("RankZeroInAFile", "rank0.safetensors",
              "rank0.safetensors: LoRA layer 'down_blocks.0.attentions.0.proj_in' has rank 0: it holds nothing\n"),
    resize_of("OnlyZeros", "zero.safetensors", "zero.safetensors: nothing is left: all its layers are zero\n"),
    resize_of("DoraWithoutItsBase", "dora.safetensors",
              "dora.safetensors: LoRA layer 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k' is of the "
              "kind DoRA, whose update depends on the base's weight: give the base it was trained on with --base\n"),
};
INSTANTIATE_TEST_SUITE_P(Files, EachLoraMistake, testing::ValuesIn(files),
                         [](const auto& one) { return one.param.name; });

const Mistake bases[] = {
    {"DoraWithAnotherBase",
     {"resize", "dora.safetensors", "--base", "sd1", "-o", kOut, "--rank", "2"},
     "atelier lora resize: dora.safetensors: LoRA layer 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k': "
     "an update of shape [12, 8] does not fit the base's weight of shape [16, 16]\n"},
    {"DoraWithoutARank",
     {"convert", "dora.safetensors", "--base", "sd1", "--to", "peft", "-o", "out"},
     "atelier lora convert: dora.safetensors: LoRA layer 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k' "
     "is of the kind DoRA, whose update is a full matrix: give a rank to reduce it to with --rank\n"},
    {"LohaWithoutARank",
     {"convert", "loha.safetensors", "--to", "peft", "-o", "out"},
     "atelier lora convert: loha.safetensors: LoRA layer 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q' "
     "is of the kind LoHa, whose update is a full matrix: give a rank to reduce it to with --rank\n"},
    {"ALoraOfAnotherArchitecture",
     {"resize", "sdxl.safetensors", "--base", "sd1", "-o", kOut, "--rank", "2"},
     "atelier lora resize: sdxl.safetensors was made for SDXL, the base is Stable Diffusion 1.x\n"},
    {"LorasOfTwoArchitectures",
     {"diff", "sdxl.safetensors", kA, "-o", kOut},
     "atelier lora diff: sdxl.safetensors and a.safetensors: the LoRAs are for two kinds of base, SDXL and Stable "
     "Diffusion 1.x\n"},
    {"NoBase",
     {"resize", kA, "--base", "none", "-o", kOut, "--rank", "2"},
     "atelier lora resize: none: no such folder or file\n"},
    {"ModelsOfTwoArchitectures",
     {"extract", "sdxl", "sd1", "-o", kOut, "--rank", "2"},
     "atelier lora extract: sdxl and sd1: the first is SDXL, the second Stable Diffusion 1.x; a LoRA is of two models "
     "of one kind\n"},
    {"EqualModels",
     {"extract", "sd1", "sd1", "-o", kOut, "--rank", "2"},
     "atelier lora extract: sd1 and sd1: the two models are equal: there is nothing to extract\n"},
    {"NoLimitOfExtract",
     {"extract", "sd1", "sd1", "-o", kOut},
     "atelier lora extract: how much is to stay is not said; give --rank, --energy or --error\n"},
    {"UnknownLayersOfExtract",
     {"extract", "sd1", "sd1", "-o", kOut, "--rank", "2", "--layers", "attn3"},
     "atelier lora extract: sd1 and sd1: pattern 'attn3' matches nothing of the base; names are such as "
     "'up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_v'\n"},
};
INSTANTIATE_TEST_SUITE_P(Bases, EachLoraMistake, testing::ValuesIn(bases),
                         [](const auto& one) { return one.param.name; });

Mistake combine_of(const char* name, const std::string& second, const std::string& told,
                   const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {"combine", kA, second, "-o", kOut};
  words.insert(words.end(), more.begin(), more.end());
  return {name, words, "atelier lora combine: " + told};
}

const Mistake sums[] = {
    {"EqualLoras",
     {"diff", kA, "link.safetensors", "-o", kOut},
     "atelier lora diff: a.safetensors and link.safetensors: nothing is left: the two LoRAs are equal\n"},
    {"EqualLorasAtARank",
     {"diff", kA, kA, "-o", kOut, "--rank", "2"},
     "atelier lora diff: a.safetensors and a.safetensors: nothing is left: the two LoRAs are equal\n"},
    {"ALoraInItsOwnSpaces",
     {"diff", kA, kA, "-o", kOut, "--method", "subspace"},
     "atelier lora diff: a.safetensors and a.safetensors: nothing is left: the second writes all that the first "
     "does\n"},
    {"LorasOfOtherShapes",
     {"diff", kA, "wide.safetensors", "-o", kOut},
     "atelier lora diff: a.safetensors and wide.safetensors: LoRA layer 'down_blocks.0.attentions.0.proj_in': one LoRA "
     "changes a weight of shape [14, 18, 1, 1], the other one of shape [77, 99]; they were trained on different base "
     "models\n"},
    {"LorasOfOtherShapesCompared",
     {"compare", kA, "wide.safetensors"},
     "atelier lora compare: a.safetensors and wide.safetensors: LoRA layer 'down_blocks.0.attentions.0.proj_in': one "
     "LoRA changes a weight of shape [14, 18, 1, 1], the other one of shape [77, 99]; they were trained on different "
     "base models\n"},
    {"SidesOfSubtract",
     {"diff", kA, kB, "-o", kOut, "--sides", "both"},
     "atelier lora diff: --sides applies to --method subspace alone\n"},
    {"NoLimitOfResize",
     {"resize", kA, "-o", kOut},
     "atelier lora resize: how much is to stay is not said; give --rank, --energy or --error\n"},
    combine_of(
        "OtherShapes", "wide.safetensors",
        "a.safetensors, wide.safetensors: LoRA layer 'down_blocks.0.attentions.0.proj_in': one LoRA changes a weight "
        "of shape [14, 18, 1, 1], the other one of shape [77, 99]; they were trained on different base models\n"),
    combine_of("ANegativeWeight", kB + ":-0.5",
               "b.safetensors: its weight -0.5 is negative; to take a LoRA away, use 'atelier lora diff'\n"),
    combine_of("AWeightThatIsTooGreat", kB + ":80",
               "b.safetensors: its weight 80 is over 10, probably a typing mistake; give a number from 0 to 10\n"),
    combine_of("AWeightThatIsNotANumber", kB + ":nan",
               "b.safetensors: its weight nan is not finite; give a number from 0 to 10\n"),
    combine_of("AnInfiniteWeight", kB + ":1e999",
               "b.safetensors: its weight 1e999 is not finite; give a number from 0 to 10\n"),
    combine_of("AWeightWithAComma", kB + ":0,5", "b.safetensors: its weight 0,5 is no number; write it as in 0.8\n"),
    combine_of("ATypingMistakeInBlocks", kB,
               "a.safetensors: block weight 'donw_blocks.0=1': the LoRA has no such layer; its layers are such as "
               "'down_blocks.0.attentions.0.proj_in'\n",
               {"--blocks", "donw_blocks.0=1"}),
    combine_of("BlocksWithoutAWeight", kB,
               "--blocks: block weight 'in': write block=weight, such as in=0,mid=1,out=0.5\n", {"--blocks", "in"}),
    combine_of("ABlockWeightOverTen", kB,
               "--blocks: block weight 'in=80': 80 is out of range, weights of blocks go from 0 to 10\n",
               {"--blocks", "in=80"}),
    combine_of("ABlockThatTheLoraDoesNotHave", kB,
               "a.safetensors: block weight 'down_blocks.9=0.5': the LoRA has no such layer; its layers are such as "
               "'down_blocks.0.attentions.0.proj_in'\n",
               {"--blocks", "down_blocks.9=0.5"}),
    combine_of("BlocksForTooMany", kB,
               "--blocks is given 3 times for 2 LoRAs; give it once for all, or once for each in their order\n",
               {"--blocks", "in=1", "--blocks", "in=1", "--blocks", "in=1"}),
    combine_of("TiesWithoutALimit", kB,
               "--method ties makes full matrices; give the --rank, --energy or --error that they are brought to\n",
               {"--method", "ties"}),
    combine_of("DensityOfASum", kB, "--density applies to --method ties and dare alone\n", {"--density", "0.5"}),
    combine_of("SeedOfTies", kB, "--seed applies to --method dare alone\n",
               {"--method", "ties", "--seed", "1", "--rank", "2"}),
    {"NothingButZeros",
     {"combine", "zero.safetensors", "-o", kOut},
     "atelier lora combine: zero.safetensors: nothing is left: all layers of the sum are zero\n"},
};
INSTANTIATE_TEST_SUITE_P(Sums, EachLoraMistake, testing::ValuesIn(sums),
                         [](const auto& one) { return one.param.name; });

Mistake out_of(const char* name, const std::string& out, const std::string& told, const std::string& naming = "kohya") {
  return {name, {"convert", kA, "--to", naming, "-o", out}, "atelier lora convert: " + told};
}

const Mistake outputs[] = {
    out_of("TheInput", kA, "a.safetensors: is an input too, which stays as it is; give another name\n"),
    out_of("TheInputThroughALink", "link.safetensors",
           "link.safetensors: is an input too, which stays as it is; give another name\n"),
    out_of("NoFolder", "none/out.safetensors",
           "none/out.safetensors: there is no such folder to write it into; make the folder first\n"),
    out_of("AFolderThatIsNotEmpty", "full",
           "full: is a folder that is not empty; give another name, or remove it first\n", "peft"),
    out_of("AFileForPeft", "a.ckpt", "a.ckpt: is a file, and peft's naming is a folder; give another name\n", "peft"),
    out_of("AFileNameForPeft", kOut,
           "out.safetensors: peft's naming is a folder; give a name that does not end in .safetensors\n", "peft"),
    out_of("AFolderNameForKohya", "out", "out: kohya's naming is one file; give a name that ends in .safetensors\n"),
    out_of("AnotherSuffix", "out.pt", "out.pt: kohya's naming is one file; give a name that ends in .safetensors\n"),
    {"ABase",
     {"resize", kA, "--base", "sd1", "-o", "sd1/unet/diffusion_pytorch_model.safetensors", "--rank", "1"},
     "atelier lora resize: sd1/unet/diffusion_pytorch_model.safetensors: is an input too, which stays as it is; give "
     "another name\n"},
};
INSTANTIATE_TEST_SUITE_P(Outputs, EachLoraMistake, testing::ValuesIn(outputs),
                         [](const auto& one) { return one.param.name; });

const Mistake faults[] = {
    {"OfNaN",
     {"check", "nan.safetensors"},
     "nan.safetensors: tensor 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight' holds 1 NaN and 0 infinite "
     "numbers out of 98\n1 fault\n"},
    {"OfRankZero",
     {"check", "rank0.safetensors"},
     "rank0.safetensors: LoRA layer 'down_blocks.0.attentions.0.proj_in' has rank 0: it holds nothing\n1 fault\n"},
    {"OfAnUnknownKey",
     {"check", "unknown.safetensors"},
     "unknown.safetensors: LoRA key 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_pu.weight' is in no naming that "
     "is known; the nearest that is known is 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight'\n1 fault\n"},
    {"OfAModel", {"check", "model.safetensors"}, "model.safetensors: the file holds no LoRA\n1 fault\n"},
    {"OfATruncatedFile",
     {"check", "cut.safetensors"},
     "atelier lora check: cut.safetensors: tensor 'lora_unet_down_blocks_1_attentions_0_proj_in.alpha' ends at byte "
     "5264 of the data, which has 5262: the file is cut off or damaged\n"},
    {"OfAnotherBase",
     {"check", "loha.safetensors", "--base", "sd1"},
     "loha.safetensors: LoRA layer 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q': an update of shape "
     "[12, 8] does not fit the base's weight of shape [16, 16]\nloha.safetensors: LoRA layer "
     "'down_blocks.0.resnets.0.conv1': an update of shape [12, 72] does not fit the base's weight of shape [16, 16, 3, "
     "3]\nloha.safetensors: LoRA layer 'mid_block.resnets.0.conv1': an update of shape [12, 8, 3, 3] does not fit the "
     "base's weight of shape [32, 32, 3, 3]\n3 faults\n"},
    {"OfAFolder", {"check", "full"}, "atelier lora check: full: is not a file\n"},
    {"OfInfo",
     {"info", "nan.safetensors"},
     "atelier lora info: nan.safetensors: tensor 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight' holds a "
     "NaN: the file is damaged, or its training diverged\n"},
};
INSTANTIATE_TEST_SUITE_P(Faults, EachLoraMistake, testing::ValuesIn(faults),
                         [](const auto& one) { return one.param.name; });

TEST_F(LoraMistakes, ADiskThatFillsUpLeavesNothing) {
  constexpr std::uint64_t kMostBytes = 2048;
  const auto before = outputs_of(folder.path());
  const auto finished = Process({"lora", "diff", kA, kB, "-o", kOut}, folder.path(), kMostBytes).wait();
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "atelier lora diff: out.safetensors: cannot be written: File too large\n");
  EXPECT_EQ(outputs_of(folder.path()), before);
}

TEST_F(LoraMistakes, NumbersThatTheFormatCannotHoldAreTold) {
  Lora great = first;
  for (auto& [name, layer] : great.layers) layer.b = layer.b * 1e6;
  write_kohya(a, great);
  const auto finished = lora({"convert", kA, "--to", "kohya", "--dtype", "float16", "-o", kOut});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(
      finished.err,
      "atelier lora convert: out.safetensors: tensor 'lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight' "
      "holds NaN or infinite numbers, or numbers too large for float16\n");
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace atelier::test
