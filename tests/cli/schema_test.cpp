// `atelier schema`: the schemas that are committed are what the program writes, and a validator that knows nothing of
// Atelier finds right files right and wrong files wrong by them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "process.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::Contains;
using ::testing::Eq;
using ::testing::Pair;
using ::testing::StartsWith;

const fs::path kSource = ATELIER_SOURCE_DIR;

TEST(Schemas, TheCommittedOnesAreWhatTheProgramWrites) {
  const TemporaryFolder folder;
  const auto finished = atelier({"schema", "--out", "new/schemas"}, folder.path());
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, "new/schemas/pipeline.schema.json\nnew/schemas/batch.schema.json\n");
  for (const char* name : {"pipeline.schema.json", "batch.schema.json"})
    EXPECT_TRUE(read_file(kSource / "schemas" / name) == read_file(folder.path() / "new/schemas" / name))
        << name << " is not up to date: run 'atelier schema' in the repository's root";
}

TEST(Schemas, AFolderThatIsAFileIsTold) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  const auto finished = atelier({"schema", "--out", "file"}, folder.path());
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.out, "");
  EXPECT_THAT(finished.err, StartsWith("atelier schema: "));
}

// What check-jsonschema finds wrong, by the files' names: "$.steps.a.with.rank: 0 is less than the minimum of 1". Of a
// mistake that several alternatives tell, the one that fits best.
class PythonSchemas : public testing::Test {
 protected:
  using Told = std::map<std::string, std::vector<std::string>>;

  void SetUp() override {
    const char* venv = std::getenv("ATELIER_VENV");
    if (!venv) GTEST_SKIP() << "ATELIER_VENV names no Python environment with check-jsonschema";
    checker_ = fs::path(venv) / "bin/check-jsonschema";
    if (!fs::exists(checker_)) GTEST_SKIP() << "the environment ATELIER_VENV has no check-jsonschema";
  }

  Told check(const std::string& kind, const std::vector<fs::path>& files) const {
    std::string command = "'" + checker_.string() + "' -o json --schemafile '" +
                          (kSource / "schemas" / (kind + ".schema.json")).string() + "'";
    for (const auto& file : files) command += " '" + file.string() + "'";
    const fs::path out = folder_.path() / "told.json";
    const int status = std::system((command + " > '" + out.string() + "' 2>&1").c_str());
    const json told = json::parse(read_file(out), nullptr, false);
    EXPECT_TRUE(told.is_object()) << read_file(out);
    if (!told.is_object()) return {};
    const json errors = told.value("errors", json::array()), unread = told.value("parse_errors", json::array());
    EXPECT_EQ(WEXITSTATUS(status), errors.empty() && unread.empty() ? 0 : 1);
    Told all;
    for (const auto& error : errors) all[name_of(error)].push_back(sentence_of(error));
    for (const auto& error : unread) all[name_of(error)].push_back(error.dump());
    return all;
  }

  // Each text as a file of its name.
  std::vector<fs::path> written(const std::map<std::string, std::string>& texts) const {
    std::vector<fs::path> files;
    for (const auto& [name, text] : texts) {
      files.push_back(folder_.path() / name);
      std::ofstream(files.back()) << text;
    }
    return files;
  }

 private:
  static std::string name_of(const json& error) { return fs::path(error["filename"].get<std::string>()).filename(); }
  static std::string sentence_of(const json& error) {
    const json& told = error.value("has_sub_errors", false) ? error["best_match"] : error;
    return told["path"].get<std::string>() + ": " + told["message"].get<std::string>();
  }

  fs::path checker_;
  TemporaryFolder folder_;
};

// The YAML files below pipelines/ and examples/ that have a line which begins with `key`.
std::vector<fs::path> shipped(const std::string& key) {
  std::vector<fs::path> files;
  for (const char* folder : {"pipelines", "examples"})
    for (const auto& entry : fs::recursive_directory_iterator(kSource / folder))
      if (entry.path().extension() == ".yaml" && read_file(entry.path()).find("\n" + key) != std::string::npos)
        files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

TEST(Schemas, EveryYamlThatShipsIsAPipelineOrABatchOrAWordList) {
  std::size_t all = 0;
  for (const char* folder : {"pipelines", "examples"})
    for (const auto& entry : fs::recursive_directory_iterator(kSource / folder))
      all += entry.path().extension() == ".yaml" ? 1 : 0;
  EXPECT_EQ(shipped("steps:").size() + shipped("customers:").size() + shipped("connectors:").size(), all);
  EXPECT_GE(shipped("steps:").size(), 10u);
  EXPECT_GE(shipped("customers:").size(), 10u);
}

TEST_F(PythonSchemas, FindEveryPipelineAndBatchThatShipsRight) {
  EXPECT_THAT(check("pipeline", shipped("steps:")), Eq(Told{}));
  EXPECT_THAT(check("batch", shipped("customers:")), Eq(Told{}));
}

TEST_F(PythonSchemas, FindWhatNewWritesRight) {
  const TemporaryFolder folder;
  ASSERT_EQ(atelier({"new", "batch", "mine"}, folder.path()).exit_code, 0);
  EXPECT_THAT(check("pipeline", {folder.path() / "mine/pipeline.yaml"}), Eq(Told{}));
  EXPECT_THAT(check("batch", {folder.path() / "mine/batch.yaml"}), Eq(Told{}));
}

std::string train(const std::string& with) {
  return "atelier: 1\nsteps: {a: {use: train, in: {base: b, datasets: [d]}, with: {" + with + "}}}\n";
}
std::string step(const std::string& step) { return "atelier: 1\nsteps: {a: {" + step + "}}\n"; }

TEST_F(PythonSchemas, TakeATemplateWhereverAParamMayBeOne) {
  const auto files = written({
      {"every_type.yaml",
       train(R"(rank: "${r}", alpha: "${a-b}", train_unet: "${u}", targets: "${t}", optimizer: "${o}")")},
      {"in_a_list.yaml", train(R"(targets: [to_q, "${t}", "${a}_${b}"])")},
      {"in_a_choice.yaml", train(R"(optimizer: "${kind}w")")},
      {"in_a_text.yaml", step(R"(use: sample, in: {model: m}, with: {prompts: ["a ${b} c"], negative: "$${x}"})")},
      {"of_a_module.yaml", step(R"(use: ./m.yaml, in: {x: b.c}, with: {y: "${z}", z: [1, "${k}"]})")},
      {"path.yaml", "atelier: 1\nsteps: {}\noutputs: {o: {from: a.b, path: \"${customer}/${x}.png\"}}\n"},
  });
  EXPECT_THAT(check("pipeline", files), Eq(Told{}));
}

TEST_F(PythonSchemas, TakeWhatTheLoaderTakes) {
  const auto pipelines = written({
      {"one_for_many.yaml", step("use: train, in: {base: b, datasets: d}")},
      {"exponent.yaml", train("learning_rate: 1e-4, rank: 1024")},
      {"integer_for_number.yaml", train("alpha: 16")},
      {"params.yaml", "atelier: 1\nparams: {a: 1, b: x$, c: [1.5, 2], d: [], e: true}\nsteps: {}\n"},
  });
  EXPECT_THAT(check("pipeline", pipelines), Eq(Told{}));
  const auto batches = written({
      {"csv.yaml", "atelier: 1\npipeline: p.yaml\ncustomers: {csv: c.csv}\n"},
      {"folder.yaml", "atelier: 1\npipeline: p.yaml\ncustomers: photos/\n"},
      {"numbers.yaml", "atelier: 1\npipeline: p.yaml\nname: 7\ninputs: {a: 2024}\ncustomers: [{id: 007, b: 12}]\n"},
      {"dates.yaml", "atelier: 1\npipeline: p.yaml\ncustomers: [{id: 2026-11-30, b: 2026-11-30}]\n"},
  });
  EXPECT_THAT(check("batch", batches), Eq(Told{}));
}

struct Wrong {
  std::string name, text, told;
};

TEST_F(PythonSchemas, RefuseAWrongPipeline) {
  const std::vector<Wrong> all{
      {"unknown_param", train("ranc: 4"),
       "$.steps.a.with: Additional properties are not allowed ('ranc' was unexpected)"},
      {"wrong_type", train("rank: 1.5"), "$.steps.a.with.rank: 1.5 is not of type 'integer', 'string'"},
      {"text_for_integer", train("rank: many"), R"($.steps.a.with.rank: 'many' does not match '^\\$\\{)"},
      {"text_around_a_template", train("rank: \"${r}0\""), R"($.steps.a.with.rank: '${r}0' does not match '^\\$\\{)"},
      {"number_for_boolean", train("train_unet: 1"), "$.steps.a.with.train_unet: 1 is not of type 'boolean', 'string'"},
      {"too_small", train("rank: 0"), "$.steps.a.with.rank: 0 is less than the minimum of 1"},
      {"too_large", train("rank: 1025"), "$.steps.a.with.rank: 1025 is greater than the maximum of 1024"},
      {"wrong_choice", train("optimizer: adamx"),
       "$.steps.a.with.optimizer: 'adamx' is not one of ['adamw', 'adafactor']"},
      {"number_for_text", train("seed: 1, optimizer: 1"), "$.steps.a.with.optimizer: 1 is not one of"},
      {"wrong_element", train("targets: [1]"), "$.steps.a.with.targets[0]: 1 is not of type 'string'"},
      {"map_for_param", train("rank: {a: 1}"), "$.steps.a.with.rank: {'a': 1} is not of type 'integer', 'string'"},
      {"missing_param", step("use: sample, in: {model: m}, with: {}"),
       "$.steps.a.with: 'prompts' is a required property"},
      {"missing_with", step("use: sample, in: {model: m}"), "$.steps.a: 'with' is a required property"},
      {"missing_use", step("in: {base: b}"), "$.steps.a: 'use' is a required property"},
      {"unknown_node", step("use: trian"), "$.steps.a.use: 'trian' is not one of ['align'"},
      {"unknown_key", step("use: ./m.yaml, wiht: {}"),
       "$.steps.a: Additional properties are not allowed ('wiht' was unexpected)"},
      {"unknown_port", step("use: load, in: {photos: p, photo: p}"),
       "$.steps.a.in: Additional properties are not allowed ('photo' was unexpected)"},
      {"missing_port", step("use: train, in: {base: b}"), "$.steps.a.in: 'datasets' is a required property"},
      {"missing_in", step("use: load"), "$.steps.a: 'in' is a required property"},
      {"list_for_one", step("use: load, in: {photos: [p]}"), "$.steps.a.in.photos: ['p'] is not of type 'string'"},
      {"empty_list", step("use: train, in: {base: b, datasets: []}"), "$.steps.a.in.datasets: [] should be non-empty"},
      {"no_reference", step("use: load, in: {photos: a.b.c}"), "$.steps.a.in.photos: 'a.b.c' does not match"},
      {"list_for_a_module", step("use: m.yaml, in: {x: [p]}"), "$.steps.a.in.x: ['p'] is not of type 'string'"},
      {"no_version", "steps: {}\n", "$: 'atelier' is a required property"},
      {"other_version", "atelier: 2\nsteps: {}\n", "$.atelier: 1 was expected"},
      {"no_steps", "atelier: 1\n", "$: 'steps' is a required property"},
      {"empty_steps", "atelier: 1\nsteps:\n", "$.steps: None is not of type 'object'"},
      {"step_name", "atelier: 1\nsteps: {a b: {use: m.yaml}}\n", "$.steps: 'a b' does not match"},
      {"param_template", "atelier: 1\nparams: {a: \"${b}\"}\nsteps: {}\n", "$.params.a: '${b}' does not match"},
      {"param_named_customer", "atelier: 1\nparams: {customer: 1}\nsteps: {}\n",
       "$.params: 'customer' should not be valid"},
      {"param_without_value", "atelier: 1\nparams: {a: }\nsteps: {}\n", "$.params.a: None is not of type"},
      {"input_type", "atelier: 1\ninputs: {a: {type: photo}}\nsteps: {}\n", "$.inputs.a.type: 'photo' is not one of"},
      {"input_scope", "atelier: 1\ninputs: {a: {type: photos, scope: all}}\nsteps: {}\n",
       "$.inputs.a.scope: 'all' is not one of ['batch', 'customer']"},
      {"input_without_type", "atelier: 1\ninputs: {a: {}}\nsteps: {}\n", "$.inputs.a: 'type' is a required property"},
      {"output_source", "atelier: 1\nsteps: {}\noutputs: {a: {path: x}}\n",
       "$.outputs.a: 'from' is a required property"},
      {"output_leaves", "atelier: 1\nsteps: {}\noutputs: {a: {from: b, path: x/../../y}}\n",
       "$.outputs.a.path: 'x/../../y' does not match"},
      {"output_in_runs", "atelier: 1\nsteps: {}\noutputs: {a: {from: b, path: runs/y}}\n",
       "$.outputs.a.path: 'runs/y' does not match"},
  };
  std::map<std::string, std::string> texts;
  for (const auto& one : all) texts[one.name + ".yaml"] = one.text;
  ASSERT_EQ(texts.size(), all.size());
  const auto told = check("pipeline", written(texts));
  for (const auto& one : all) EXPECT_THAT(told, Contains(Pair(one.name + ".yaml", Contains(StartsWith(one.told)))));
}

TEST_F(PythonSchemas, RefuseAWrongBatch) {
  const auto batch = [](const std::string& rest) { return "atelier: 1\npipeline: p.yaml\n" + rest; };
  const std::vector<Wrong> all{
      {"no_pipeline", "atelier: 1\ncustomers: c\n", "$: 'pipeline' is a required property"},
      {"no_customers", batch(""), "$: 'customers' is a required property"},
      {"none", batch("customers: []\n"), "$.customers: [] should be non-empty"},
      {"no_id", batch("customers: [{photos: a}]\n"), "$.customers[0]: 'id' is a required property"},
      {"wrong_id", batch("customers: [{id: a b}]\n"), "$.customers[0].id: 'a b' does not match"},
      {"id_of_the_runs", batch("customers: [{id: runs}]\n"), "$.customers[0].id: 'runs' should not be valid"},
      {"long_id", batch("customers: [{id: " + std::string(101, 'x') + "}]\n"), "$.customers[0].id: 'xxxx"},
      {"input_that_is_a_list", batch("customers: [{id: a, photos: [b]}]\n"),
       "$.customers[0].photos: ['b'] is not of type 'string', 'number'"},
      {"param_map", batch("customers: [{id: a, params: {steps: {a: 1}}}]\n"),
       "$.customers[0].params.steps: {'a': 1} is not of type"},
      {"template", batch("params: {a: \"${b}\"}\ncustomers: c\n"), "$.params.a: '${b}' does not match"},
      {"other_place", batch("customers: {xls: c}\n"),
       "$.customers: Additional properties are not allowed ('xls' was unexpected)"},
      {"two_places", batch("customers: {csv: a, folder: b}\n"),
       "$.customers: {'csv': 'a', 'folder': 'b'} has too many"},
      {"empty_input", batch("inputs: {base: ''}\ncustomers: c\n"), "$.inputs.base: '' should be non-empty"},
      {"a_pipeline", "atelier: 1\nsteps: {}\n", "$: 'pipeline' is a required property"},
  };
  std::map<std::string, std::string> texts;
  for (const auto& one : all) texts[one.name + ".yaml"] = one.text;
  ASSERT_EQ(texts.size(), all.size());
  const auto told = check("batch", written(texts));
  for (const auto& one : all) EXPECT_THAT(told, Contains(Pair(one.name + ".yaml", Contains(StartsWith(one.told)))));
}

}  // namespace
}  // namespace atelier::test
