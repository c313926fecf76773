// What the commands of `atelier lora` do.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "diffusion/lora_algebra.h"
#include "diffusion/lora_subspace.h"
#include "diffusion/lora_updates.h"
#include "lora_files.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using diffusion::Lora;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

constexpr double kRounding = 1e-6;  // relative, of float32 factors
const std::string kQueries = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";

void expect_near(const Lora& got, const Lora& wanted) {
  EXPECT_LE(distance(got, wanted), kRounding * diffusion::norm(wanted));
}

nlohmann::json operation_in(const fs::path& file) {
  return nlohmann::json::parse(metadata_in(file).at("atelier.operation"));
}

TEST_F(LoraCommand, InfoTellsWhatAFileHolds) {
  const auto file = kGoldens / "sd1_tiny/lora_kohya.safetensors";
  const auto told = lora_output({"info", file.string()});
  EXPECT_THAT(told, StartsWith(file.string() + ": a LoRA file for "));
  EXPECT_THAT(told, HasSubstr(", in kohya's naming, float16\n  kinds   LoRA\n  layers  84: 84 of unet\n"));
  EXPECT_THAT(told, HasSubstr("\nlayer "));
}

TEST_F(LoraCommand, InfoIsJsonWhenAsked) {
  const auto json = nlohmann::json::parse(lora_output({"info", a.string(), "--json"}));
  EXPECT_EQ(json["naming"], "kohya");
  EXPECT_EQ(json["dtype"], "float32");
  EXPECT_EQ(json["metadata"]["modelspec.title"], "Anna");
  ASSERT_EQ(json["layers"].size(), first.layers.size());
  EXPECT_NEAR(json["norm"].get<double>(), diffusion::norm(first), kRounding * diffusion::norm(first));
  for (const auto& layer : json["layers"]) {
    const auto& wanted = first.layers.at(layer["name"]);
    EXPECT_EQ(layer["rank"], wanted.rank());
    EXPECT_EQ(layer["alpha"], wanted.alpha);
    EXPECT_NEAR(layer["norm"].get<double>(), diffusion::norm(wanted), kRounding * diffusion::norm(wanted));
    EXPECT_LE(layer["ranks_for_90_percent"], layer["ranks_for_99_percent"]);
  }
}

TEST_F(LoraCommand, InfoKnowsTheKindsOfAdapters) {
  const auto kinds = [&](const char* name) {
    const auto file = kGoldens / "lycoris" / name;
    return nlohmann::json::parse(lora_output({"info", file.string(), "--json"}))["kinds"];
  };
  EXPECT_EQ(kinds("locon.safetensors"), nlohmann::json({"LoCon", "LoRA"}));
  EXPECT_EQ(kinds("loha.safetensors"), nlohmann::json({"LoHa"}));
  EXPECT_EQ(kinds("lokr.safetensors"), nlohmann::json({"LoKr"}));
  EXPECT_THAT(kinds("dora.safetensors").dump(), HasSubstr("DoRA"));
}

TEST_F(LoraCommand, InfoTellsNormsOfFullMatrices) {
  const auto deltas = must(diffusion::Safetensors::open(kGoldens / "lycoris/deltas.safetensors"));
  const auto file = kGoldens / "lycoris/lokr.safetensors";
  const auto json = nlohmann::json::parse(lora_output({"info", file.string(), "--json"}));
  for (const auto& layer : json["layers"]) {
    const auto norm = must(deltas.tensor("lokr/" + layer["name"].get<std::string>())).norm().item<double>();
    EXPECT_NEAR(layer["norm"].get<double>(), norm, 1e-5 * norm) << layer["name"];
  }
}

TEST_F(LoraCommand, DiffIsTheDifferenceOfTheUpdates) {
  const auto told = lora_output({"diff", a.string(), b.string(), "-o", out.string()});
  EXPECT_THAT(told, MatchesRegex(".*/out.safetensors: 9 layers, ranks [0-9]+ to [0-9]+, [0-9.]+ kB\n"));
  EXPECT_LE(distance(lora_in(out), must(diffusion::subtract(first, second)).lora), kRounding * diffusion::norm(first));
}

TEST_F(LoraCommand, DiffRecordsWhatItIsOf) {
  lora_output({"diff", a.string(), b.string(), "-o", out.string(), "--rank", "3"});
  const auto hash = [&](const fs::path& of) { return metadata_in(of).at("sshs_model_hash"); };
  EXPECT_EQ(metadata_in(out).at("modelspec.title"), "out");
  EXPECT_THAT(operation_in(out).dump(), HasSubstr(hash(a)));
  EXPECT_THAT(operation_in(out).dump(), HasSubstr(hash(b)));
  EXPECT_THAT(operation_in(out).dump(), HasSubstr("\"rank\":3"));
  EXPECT_THAT(metadata_in(out).at("modelspec.merged_from"), HasSubstr("Anna"));
}

TEST_F(LoraCommand, DiffAtARankTellsWhatThatCosts) {
  const auto told = lora_output({"diff", a.string(), b.string(), "-o", out.string(), "--rank", "2"});
  EXPECT_THAT(told, HasSubstr(": 9 layers, rank 2, "));
  EXPECT_THAT(told, MatchesRegex(".*, off by [0-9.]+ %\n"));
}

TEST_F(LoraCommand, DiffTakesAwayWhatTheOtherWritesWhenAsked) {
  lora_output({"diff", a.string(), b.string(), "-o", out.string(), "--method", "subspace", "--sides", "both"});
  const auto wanted = must(diffusion::remove_subspace(first, second, diffusion::RemovedSides::both)).lora;
  expect_near(lora_in(out), wanted);
}

TEST_F(LoraCommand, CombineIsTheWeightedSum) {
  lora_output({"combine", a.string() + ":0.75", b.string(), "-o", out.string()});
  const std::vector<diffusion::WeightedLora> terms = {{&first, 0.75}, {&second, 1}};
  expect_near(lora_in(out), must(diffusion::weighted_sum(terms)));
}

TEST_F(LoraCommand, CombineWeighsBlocksForAllOrForEach) {
  const auto blocks = must(diffusion::BlockWeights::parse("down_blocks.1=0.5"));
  lora_output({"combine", a.string(), b.string(), "--blocks", "down_blocks.1=0.5", "-o", out.string()});
  expect_near(
      lora_in(out),
      must(diffusion::weighted_sum(std::vector<diffusion::WeightedLora>{{&first, 1, blocks}, {&second, 1, blocks}})));
  lora_output(
      {"combine", a.string(), b.string(), "--blocks", "down_blocks.1=0.5", "--blocks", "in=1", "-o", out.string()});
  expect_near(lora_in(out),
              must(diffusion::weighted_sum(std::vector<diffusion::WeightedLora>{{&first, 1, blocks}, {&second, 1}})));
  EXPECT_THAT(operation_in(out).dump(), HasSubstr("down_blocks.1=0.5"));
}

TEST_F(LoraCommand, CombineByDareDrawsFromItsSeedAlone) {
  const auto bytes = [&](const std::string& seed) {
    lora_output({"combine", a.string(), b.string(), "--method", "dare", "--seed", seed, "--rank", "8", "--title", "x",
                 "-o", out.string()});
    return read_file(out);
  };
  const auto once = bytes("7");
  EXPECT_EQ(bytes("7"), once);
  EXPECT_NE(bytes("8"), once);
}

TEST_F(LoraCommand, CombineByTiesOfOneLoraAtFullDensityIsThatLora) {
  lora_output({"combine", a.string(), "--method", "ties", "--density", "1", "--rank", "9", "-o", out.string()});
  EXPECT_LE(distance(lora_in(out), first), 1e-5 * diffusion::norm(first));
}

TEST_F(LoraCommand, ResizeBringsToARankAndKeepsTheMetadata) {
  const auto told = lora_output({"resize", a.string(), "-o", out.string(), "--rank", "2"});
  EXPECT_THAT(told, HasSubstr("to 2, "));
  for (const auto& [name, layer] : lora_in(out).layers) EXPECT_LE(layer.rank(), 2) << name;
  EXPECT_EQ(metadata_in(out).at("ss_network_dim"), "2");
}

TEST_F(LoraCommand, ResizeOfAllEnergyIsExact) {
  EXPECT_THAT(lora_output({"resize", a.string(), "-o", out.string(), "--energy", "1"}), EndsWith(", exact\n"));
  EXPECT_LE(distance(lora_in(out), first), kRounding * diffusion::norm(first));
}

TEST_F(LoraCommand, ResizeKeepsMetadataOfTheTraining) {
  auto file = diffusion::to_kohya(first, {.title = "Anna", .date = "2020-01-01T00:00:00Z"});
  file.metadata["ss_tag_frequency"] = "{}";
  write_tensors(a, file.tensors, file.metadata);
  lora_output({"resize", a.string(), "-o", out.string(), "--rank", "2"});
  EXPECT_EQ(metadata_in(out).at("ss_tag_frequency"), "{}");
  EXPECT_FALSE(metadata_in(out).contains("modelspec.date"));
}

/// The model with the LoRA's updates of the UNet added.
void write_tuned(const fs::path& from, const fs::path& to, const Lora& lora) {
  fs::copy(from, to, fs::copy_options::recursive);
  const auto unet = to / "unet/diffusion_pytorch_model.safetensors";
  const auto file = must(diffusion::Safetensors::open(unet));
  auto weights = must(file.tensors());
  for (auto& [name, weight] : weights) weight = weight.to(at::kFloat).clone();
  for (const auto& [name, layer] : lora.layers) weights.at(name + ".weight") += layer.delta();
  fs::remove(unet);
  write_tensors(unet, weights, file.metadata());
}

/// Two layers of the tiny model.
Lora small_change(diffusion::RandomLoras& random, const fs::path& model) {
  const auto file = must(diffusion::Safetensors::open(model / "unet/diffusion_pytorch_model.safetensors"));
  Lora lora;
  for (const std::string& name : {kQueries, std::string("mid_block.attentions.0.transformer_blocks.0.attn2.to_v")}) {
    auto layer = random.layer(must(file.tensor(name + ".weight")).sizes().vec());
    layer.a = layer.a.slice(0, 0, 1).contiguous();
    layer.b = layer.b.slice(1, 0, 1).contiguous();
    lora.layers[name] = layer;
  }
  return lora;
}

TEST_F(LoraCommand, ExtractFindsWhatATrainingAdded) {
  const Lora change = small_change(random, tiny);
  write_tuned(tiny, path("tuned"), change);
  const auto told = lora({"extract", path("tuned").string(), tiny.string(), "--rank", "4", "-o", out.string()});
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr(": 2 layers, rank 1, "));
  EXPECT_LE(distance(lora_in(out), change), 1e-4 * diffusion::norm(change));
  EXPECT_EQ(metadata_in(out).at("ss_base_model_version"), "sd_v1");
  EXPECT_THAT(operation_in(out).dump(), HasSubstr("\"tuned\""));
}

TEST_F(LoraCommand, ConvertThroughAllNamingsAndBackIsTheSameBytes) {
  lora_output({"diff", a.string(), b.string(), "-o", out.string(), "--keep-alpha"});
  const auto diffusers = path("d.safetensors"), peft = path("peft"), kohya = path("k.safetensors");
  lora_output({"convert", out.string(), "--to", "diffusers", "--keep-alpha", "-o", diffusers.string()});
  lora_output({"convert", diffusers.string(), "--to", "peft", "--keep-alpha", "-o", peft.string()});
  lora_output({"convert", peft.string(), "--to", "kohya", "--keep-alpha", "-o", kohya.string()});
  EXPECT_EQ(read_file(kohya), read_file(out));
}

TEST_F(LoraCommand, ConvertKeepsTheNumberFormatOrTakesAnother) {
  write_kohya(a, first, "Anna", at::kHalf);
  const auto dtype = [&](const std::string& words) {
    lora_output({"convert", a.string(), "--to", "diffusers", "--dtype", words, "-o", out.string()});
    return must(diffusion::Safetensors::open(out)).entries().begin()->second.dtype;
  };
  EXPECT_EQ(dtype("input"), "F16");
  EXPECT_EQ(dtype("bfloat16"), "BF16");
}

TEST_F(LoraCommand, ConvertBringsFullMatricesToARank) {
  const auto file = kGoldens / "lycoris/lokr.safetensors";
  lora_output({"convert", file.string(), "--to", "kohya", "--rank", "2", "-o", out.string()});
  for (const auto& [name, layer] : lora_in(out).layers) EXPECT_LE(layer.rank(), 2) << name;
}

/// A LoRA of one layer of the tiny model with DoRA's magnitude beside it.
void write_dora(const fs::path& path, const diffusion::LoraLayer& layer, const at::Tensor& magnitude) {
  Lora lora;
  lora.layers[kQueries] = layer;
  auto file = diffusion::to_kohya(lora, {}, diffusion::LoraAlphas::keep);
  file.tensors["lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.dora_scale"] = magnitude;
  write_tensors(path, file.tensors, file.metadata);
}

TEST_F(LoraCommand, ResizeMakesALoraOfDoraWithItsBase) {
  const auto file = must(diffusion::Safetensors::open(tiny / "unet/diffusion_pytorch_model.safetensors"));
  const at::Tensor weight = must(file.tensor(kQueries + ".weight")).to(at::kFloat);
  write_dora(a, random.layer(weight.sizes().vec()), at::ones({weight.size(0), 1}));
  lora_output({"resize", a.string(), "--base", tiny.string(), "--error", "0", "-o", out.string()});
  const auto updates = must(diffusion::read_lora_updates(a));
  const at::Tensor wanted = must(diffusion::delta_on(updates, kQueries, weight));
  EXPECT_LE(diffusion::distance(lora_in(out).layers.at(kQueries).delta(), wanted), 1e-5 * wanted.norm().item<double>());
}

TEST_F(LoraCommand, CompareOfEqualLorasSucceeds) {
  const auto told = lora({"compare", a.string(), a.string()});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, EndsWith("difference 0 over all layers, each within the tolerance of 1e-06\n"));
}

TEST_F(LoraCommand, CompareOfDifferentLorasFailsUnlessTolerated) {
  EXPECT_EQ(lora({"compare", a.string(), b.string()}).exit_code, 1);
  EXPECT_EQ(lora({"compare", a.string(), b.string(), "--tolerance", "1000"}).exit_code, 0);
}

TEST_F(LoraCommand, CompareTellsLayersThatOneAloneHas) {
  Lora less = first;
  less.layers.erase(less.layers.begin());
  write_kohya(b, less);
  const auto told = lora({"compare", a.string(), b.string()});
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.out, HasSubstr("only " + a.string() + " has " + first.layers.begin()->first + "\n"));
}

TEST_F(LoraCommand, CompareIsJsonWhenAsked) {
  const auto json = nlohmann::json::parse(lora({"compare", a.string(), b.string(), "--json"}).out);
  EXPECT_EQ(json["equal"], false);
  EXPECT_EQ(json["layers"].size(), first.layers.size());
  EXPECT_GT(json["relative"], 0);
}

TEST_F(LoraCommand, CheckOfASoundFileSucceeds) {
  EXPECT_EQ(lora_output({"check", a.string()}), a.string() + " is sound: 9 layers\n");
  EXPECT_EQ(lora_output({"check", a.string(), "--json"}), "{\"faults\":[],\"path\":\"" + a.string() + "\"}\n");
}

TEST_F(LoraCommand, AnOutputReplacesAFileAndLeavesNothingBeside) {
  for (int i = 0; i < 2; ++i) lora_output({"resize", a.string(), "-o", out.string(), "--rank", "2"});
  EXPECT_EQ(outputs_of(folder.path()).size(), 3U);
}

TEST_F(LoraCommand, AnOutputIsToldAsJsonWhenAsked) {
  const auto json =
      nlohmann::json::parse(lora_output({"resize", a.string(), "-o", out.string(), "--rank", "2", "--json"}));
  EXPECT_EQ(json["out"], out.string());
  EXPECT_EQ(json["layers"], 9);
  EXPECT_EQ(json["greatest_rank"], 2);
  EXPECT_EQ(json["bytes"], fs::file_size(out));
  EXPECT_GT(json["relative_error"], 0);
}

TEST_F(LoraCommand, AnOutputHasTheDateOfTheSourcesWhereThatIsSet) {
  setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
  lora_output({"diff", a.string(), b.string(), "-o", out.string()});
  unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_EQ(metadata_in(out).at("modelspec.date"), "2023-11-14T22:13:20Z");
}

TEST_F(LoraCommand, UnknownKeysAreLeftOutWhenAsked) {
  auto file = diffusion::to_kohya(first, {});
  file.tensors["other.weight"] = at::ones({2});
  write_tensors(a, file.tensors, file.metadata);
  const auto told = lora({"resize", a.string(), "-o", out.string(), "--rank", "2", "--skip-unknown"});
  EXPECT_EQ(told.exit_code, 0);
  EXPECT_THAT(told.err,
              HasSubstr("note: " + a.string() + ": 1 unknown key is left out, the first is 'other.weight'\n"));
}

}  // namespace
}  // namespace atelier::test
