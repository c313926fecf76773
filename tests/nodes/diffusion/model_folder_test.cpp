// Diffusers folders of the three architectures, as published ones look: shards, variants, two text encoders.
#include <nlohmann/json.hpp>

#include "diffusion/model_write.h"
#include "golden_base.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class FolderGolden : public GoldenTest {
 protected:
  fs::path model() const { return golden->path / "model"; }
  bool sdxl() const { return GetParam() == "peers/sdxl"; }
};
INSTANTIATE_TEST_SUITE_P(Peers, FolderGolden, testing::Values("peers/sd1", "peers/sd2", "peers/sdxl"), golden_name);

TEST_P(FolderGolden, GivesTheValuesOfDiffusers) {
  const auto loaded = must(load_stable_diffusion(model()));
  test::expect_goldens(*loaded, *golden);
}

TEST_P(FolderGolden, IsKnownByItsArchitectureAndAllItsWeightsAre) {
  const auto base = must(BaseModel::open(model()));
  const std::map<std::string, Architecture> wanted{
      {"peers/sd1", Architecture::sd1}, {"peers/sd2", Architecture::sd2}, {"peers/sdxl", Architecture::sdxl}};
  EXPECT_EQ(base.architecture(), wanted.at(GetParam()));
  EXPECT_THAT(base.notes(), IsEmpty());
  EXPECT_EQ(base.parts().size(), sdxl() ? 4u : 3u);
  EXPECT_EQ(base.text_configs().size(), sdxl() ? 2u : 1u);
  for (const auto part : base.parts()) {
    EXPECT_EQ(base.stored(part).dtype, "F16");
    uint64_t numbers = 0;
    for (const auto& [name, tensor] : must(base.weights(part))) numbers += static_cast<uint64_t>(tensor.numel());
    EXPECT_EQ(base.stored(part).parameters, numbers);
  }
}

TEST_P(FolderGolden, NamesTextWeightsOneWayWhateverTheFileDoes) {
  const auto base = must(BaseModel::open(model()));
  for (const auto& [name, tensor] : must(base.weights(ModelPart::text_encoder))) {
    EXPECT_TRUE(name.starts_with("text_model.")) << name;
  }
}

/// The project's own small base in shards, as save_pretrained(max_shard_size=…) makes them.
class ShardedFolder : public testing::Test {
 protected:
  void SetUp() override {
    fs::copy(fs::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny/model", model, fs::copy_options::recursive);
    shard("unet", "diffusion_pytorch_model", "");
    shard("text_encoder", "model", "");
  }
  void shard(const std::string& part, const std::string& stem, const std::string& variant) {
    const fs::path whole = model / part / (stem + ".safetensors");
    WeightMap weights[2];
    nlohmann::json listed{{"metadata", {{"total_size", 0}}}};
    int64_t bytes = 0;
    for (const auto& [name, tensor] : test::read_all(whole)) {
      const int which = static_cast<int>(listed["weight_map"].size() % 2);
      weights[which][name] = tensor.clone();
      listed["weight_map"][name] = shard_name(stem, which, variant);
      bytes += tensor.numel() * static_cast<int64_t>(tensor.element_size());
    }
    listed["metadata"]["total_size"] = bytes;
    for (int i : {0, 1})
      must(write_safetensors(model / part / shard_name(stem, i, variant), weights[i], {{"format", "pt"}}));
    const std::string name = stem + ".safetensors.index" + variant + ".json";
    test::put_bytes(model / part / name, listed.dump(2));
    fs::remove(whole);
  }
  static std::string shard_name(const std::string& stem, int which, const std::string& variant) {
    return stem + "-0000" + std::to_string(which + 1) + "-of-00002" + variant + ".safetensors";
  }
  std::string error() const {
    const auto opened = BaseModel::open(model);
    return opened ? "" : opened.error().message;
  }
  void edit_index(const std::string& weight, const nlohmann::json& file) const {
    auto json = read_json(index);
    json["weight_map"][weight] = file;
    test::put_bytes(index, json.dump());
  }

  test::TemporaryFolder folder;
  const fs::path model = folder / "model";
  const fs::path index = model / "unet/diffusion_pytorch_model.safetensors.index.json";
  const fs::path first = model / "unet" / shard_name("diffusion_pytorch_model", 0, "");
};

TEST_F(ShardedFolder, GivesTheValuesOfTheWholeFiles) {
  const GoldenFolder golden(fs::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny");
  test::expect_goldens(*must(load_stable_diffusion(model)), golden);
  const auto files = must(BaseModel::open(model)).files();
  EXPECT_THAT(files, testing::Contains(index.lexically_relative(model))) << "the index is part of the model";
  EXPECT_THAT(files, testing::Contains(first.lexically_relative(model)));
}

TEST_F(ShardedFolder, IsWrittenInTheSameShardsWithTheChangesInThem) {
  const auto base = must(BaseModel::open(model));
  auto weights = must(base.weights(ModelPart::unet));
  weights["conv_in.bias"] = weights["conv_in.bias"] + 1;
  must(write_model(base, replaced_by(PartWeights{{ModelPart::unet, weights}}), folder / "out/"));
  EXPECT_EQ(test::bytes_of(folder / "out/unet" / index.filename()), test::bytes_of(index));
  const auto written = must(BaseModel::open(folder / "out"));
  EXPECT_TRUE(must(written.weights(ModelPart::unet)).at("conv_in.bias").equal(weights["conv_in.bias"]));
  const auto name = shard_name("model", 1, "");
  EXPECT_EQ(test::bytes_of(folder / "out/text_encoder" / name), test::bytes_of(model / "text_encoder" / name));
}

TEST_F(ShardedFolder, OfAVariantIsWrittenWhereDiffusersLooks) {
  shard("vae", "diffusion_pytorch_model", ".fp16");
  const auto base = must(BaseModel::open(model));
  EXPECT_EQ(base.stored(ModelPart::vae).files.size(), 2u);
  must(write_model(base, {}, folder / "out/", {.dtype = at::kFloat}));
  const fs::path plain = folder / "out/vae/diffusion_pytorch_model.safetensors.index.json";
  EXPECT_EQ(read_json(plain)["weight_map"]["decoder.conv_in.bias"], shard_name("diffusion_pytorch_model", 0, ""));
  const auto old = read_json(model / "vae/diffusion_pytorch_model.safetensors.index.fp16.json")["metadata"];
  EXPECT_EQ(read_json(plain)["metadata"]["total_size"], 2 * old["total_size"].get<int64_t>());
  EXPECT_EQ(must(BaseModel::open(folder / "out")).stored(ModelPart::vae).dtype, "F32");
}

TEST_F(ShardedFolder, WithAWrongIndexIsToldWhatIsWrong) {
  const std::string at = index.string();
  edit_index("conv_in.bias", "../secret.safetensors");
  EXPECT_EQ(error(), at + ": weight 'conv_in.bias' is said to be in \"../secret.safetensors\", expected the name of a "
                          "file beside the index");
  edit_index("conv_in.bias", shard_name("diffusion_pytorch_model", 1, ""));
  EXPECT_EQ(error(), (model / "unet" / shard_name("diffusion_pytorch_model", 1, "")).string() +
                         ": has no weight 'conv_in.bias', which diffusion_pytorch_model.safetensors.index.json says it "
                         "holds");
  test::put_bytes(index, "{}");
  EXPECT_EQ(error(), at + ": is no index of weights: it has no weight_map");
}

TEST_F(ShardedFolder, WithoutAShardIsToldWhichIsMissing) {
  fs::remove(first);
  EXPECT_TRUE(error().starts_with(first.string() + ": ")) << error();
}

/// vocab.json and merges.txt as the one file that transformers' fast tokenizer saves.
nlohmann::json as_tokenizer_json(const fs::path& folder) {
  using nlohmann::json;
  json saved;
  saved["normalizer"] = {{"type", "Sequence"},
                         {"normalizers",
                          {{{"type", "NFC"}},
                           {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}},
                           {{"type", "Lowercase"}}}}};
  const json split = {{"type", "Split"},
                      {"pattern", {{"Regex", R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)"}}},
                      {"behavior", "Removed"},
                      {"invert", true}};
  saved["pre_tokenizer"] = {{"type", "Sequence"},
                            {"pretokenizers", {split, {{"type", "ByteLevel"}, {"add_prefix_space", false}}}}};
  saved["model"] = {{"type", "BPE"},
                    {"end_of_word_suffix", "</w>"},
                    {"vocab", read_json(folder / "vocab.json")},
                    {"merges", json::array()}};
  std::ifstream merges(folder / "merges.txt");
  for (std::string line; std::getline(merges, line);) {
    if (!line.empty() && !line.starts_with("#")) saved["model"]["merges"].push_back(line);
  }
  return saved;
}

TEST(TokenizerJsonFolder, ServesWithoutVocabularyAndMerges) {
  const test::TemporaryFolder folder;
  const fs::path model = folder / "model";
  const GoldenFolder golden(fs::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny");
  fs::copy(golden.path / "model", model, fs::copy_options::recursive);
  test::put_bytes(model / "tokenizer/tokenizer.json", as_tokenizer_json(model / "tokenizer").dump());
  fs::remove(model / "tokenizer/vocab.json");
  fs::remove(model / "tokenizer/merges.txt");
  test::expect_goldens(*must(load_stable_diffusion(model)), golden);
  EXPECT_THAT(must(BaseModel::open(model)).files(), testing::Contains(fs::path("tokenizer/tokenizer.json")));
}

}  // namespace
}  // namespace atelier::diffusion
