// What a right batch becomes.
#include "pipeline/batch.h"

#include <gtest/gtest.h>

#include "pipeline_case.h"

namespace atelier {
namespace {

constexpr const char* pipeline = R"(atelier: 1
params: {times: 2, mark: "!", share: 0.5, names: [x]}
inputs: {style: {type: text, scope: batch}, story: {type: text}}
steps:
  told: {use: shout, in: {text: story}, with: {times: "${times}", mark: "${mark}"}}
  more: {use: params, in: {text: told}, with: {label: x, share: "${share}", names: "${names}"}}
  both: {use: join, in: {parts: [more, style]}}
outputs: {both: {from: both, path: "${customer}/both.txt"}}
)";

TEST(FileKinds, APipelineNamesNoneAndHasStepsOrNoCustomers) {
  PipelineCase world(pipeline, {{"/night.yaml", "atelier: 1\npipeline: p.yaml\nsteps: {}\n"}, {"/x", "a: }"}});
  EXPECT_TRUE(is_pipeline(world.files, "/p.yaml"));
  EXPECT_FALSE(is_pipeline(world.files, "/night.yaml"));
  EXPECT_FALSE(is_pipeline(world.files, "/x"));
  EXPECT_FALSE(is_pipeline(world.files, "/nowhere"));
  world.files.put("/stpes.yaml", "atelier: 1\nstpes: {}\n");
  world.files.put("/customers.yaml", "atelier: 1\npipelin: p.yaml\ncustomers: []\n");
  world.files.put("/both.yaml", "atelier: 1\nsteps: {}\ncustomers: []\n");
  world.files.put("/list.yaml", "- atelier: 1\n");
  EXPECT_TRUE(is_pipeline(world.files, "/stpes.yaml"));
  EXPECT_FALSE(is_pipeline(world.files, "/customers.yaml"));
  EXPECT_TRUE(is_pipeline(world.files, "/both.yaml"));
  EXPECT_FALSE(is_pipeline(world.files, "/list.yaml"));
}

// A studio with its pipeline in one folder and tonight's batch in another.
struct Night : testing::Test {
  PipelineCase world{
      {},
      {{"/studio/p.yaml", pipeline}, {"/studio/style.txt", ""}, {"/tonight/anna/a.txt", ""}, {"/tonight/ben.txt", ""}}};

  Batch load(const std::string& customers, const Settings& settings = {}) {
    world.files.put("/tonight/night.yaml",
                    "atelier: 1\npipeline: ../studio/p.yaml\ninputs: {style: ../studio/style.txt}\n"
                    "params: {times: 3, share: 1}\n" +
                        customers);
    auto batch = load_batch(world.files, "/tonight/night.yaml", world.registry, settings);
    EXPECT_EQ(batch ? "" : lines(batch.error()), "");
    return batch ? *batch : Batch{};
  }
};

TEST_F(Night, PathsAreRelativeToTheFileThatHoldsThem) {
  world.files.put("/lists/ids.csv", "id,story\nanna,../tonight/anna/\n");
  const Batch list = load("customers: [{id: anna, story: anna/}]\n");
  EXPECT_EQ(list.inputs.at("style"), "/studio/style.txt");
  EXPECT_EQ(list.customers[0].inputs.at("story"), "/tonight/anna");
  EXPECT_EQ(load("paths: anywhere\ncustomers: ../lists/ids.csv\n").customers[0].inputs.at("story"), "/tonight/anna");
}

TEST_F(Night, InputsKnowTheFolderThatTheyMayNotLeave) {
  world.files.put("/tonight/lists/ids.csv", "id,story\nanna,anna.txt\n");
  world.files.put("/tonight/lists/anna.txt", "");
  world.files.put("/tonight/all/anna/a.txt", "");
  const auto within = [](const Batch& batch) { return batch.customers[0].within; };
  using Within = std::map<std::string, std::filesystem::path>;
  EXPECT_EQ(within(load("customers: [{id: anna, story: anna/}]\n")), Within{}) << "the batch file names it";
  EXPECT_EQ(within(load("customers: lists/ids.csv\n")), (Within{{"story", "/tonight/lists"}}));
  EXPECT_EQ(within(load("customers: all\n")), (Within{{"story", "/tonight/all"}}));
  EXPECT_FALSE(load("paths: inside\ncustomers: all\n").paths_anywhere);
  EXPECT_TRUE(load("paths: anywhere\ncustomers: all\n").paths_anywhere);
}

TEST_F(Night, ItsNameIsItsOwnOrTheFiles) {
  EXPECT_EQ(load("customers: [{id: anna, story: anna}]\n").name, "night");
  EXPECT_EQ(load("name: first\ncustomers: [{id: anna, story: anna}]\n").name, "first");
}

TEST_F(Night, StrongerValuesWin) {
  const Batch batch = load(
      "customers:\n- {id: anna, story: anna, params: {times: 4, mark: \"?\"}}\n"
      "- {id: ben, story: ben.txt}\n",
      {{"mark", "#"}});
  const auto shared = batch.values_for(nullptr), anna = batch.values_for(&batch.customers[0]),
             ben = batch.values_for(&batch.customers[1]);
  EXPECT_EQ(shared.at("times"), Value(3));
  EXPECT_EQ(anna.at("times"), Value(4));
  EXPECT_EQ(ben.at("times"), Value(3));
  EXPECT_EQ(anna.at("mark"), Value("#"));
  EXPECT_EQ(ben.at("names"), Value(Value::List{Value("x")}));
}

TEST_F(Night, TheIdIsAValueOfItsCustomerOnly) {
  const Batch batch = load("customers: [{id: anna, story: anna}]\n");
  EXPECT_EQ(batch.values_for(&batch.customers[0]).at("customer"), Value("anna"));
  EXPECT_FALSE(batch.values_for(nullptr).contains("customer"));
}

TEST_F(Night, AnIntegerForANumberIsANumber) {
  EXPECT_EQ(load("customers: [{id: anna, story: anna}]\n").params.at("share"), Value(1.0));
}

TEST_F(Night, AnIdIsTakenAsItIsWritten) {
  const Batch batch = load("customers: [{id: 010, story: anna}, {id: no, story: anna}]\n");
  EXPECT_EQ(batch.customers[0].id, "010");
  EXPECT_EQ(batch.customers[1].id, "no");
}

TEST_F(Night, SettingsAreReadAsTheTypeOfTheParam) {
  const Batch batch = load("customers: [{id: anna, story: anna}]\n",
                           {{"times", "9"}, {"mark", "010"}, {"names", "[a, \"b c\"]"}, {"share", "0.25"}});
  EXPECT_EQ(batch.set.at("times"), Value(9));
  EXPECT_EQ(batch.set.at("mark"), Value("010"));
  EXPECT_EQ(batch.set.at("names"), Value(Value::List{Value("a"), Value("b c")}));
  EXPECT_EQ(batch.set.at("share"), Value(0.25));
}

TEST_F(Night, TheLastSettingOfANameCounts) {
  EXPECT_EQ(load("customers: [{id: anna, story: anna}]\n", {{"times", "8"}, {"times", "9"}}).set.at("times"), Value(9));
}

TEST_F(Night, AParamOfACustomerMayMendOneOfTheBatch) {
  EXPECT_EQ(load("customers: [{id: anna, story: anna}]\n", {{"times", "100"}}).set.size(), 1u);
}

TEST_F(Night, ACsvFileMayHaveQuotesAByteOrderMarkAndWindowsLines) {
  world.files.put("/tonight/c.csv",
                  "\xEF\xBB\xBFid,story,times,mark,names\r\n"
                  "anna,anna,5,\"a, \"\"b\"\"\r\nc\",\"[u, v]\"\r\n"
                  "\r\n"
                  "007,ben.txt,,,\r\n");
  const Batch batch = load("customers: {csv: c.csv}\n");
  ASSERT_EQ(batch.customers.size(), 2u);
  EXPECT_EQ(batch.customers[0].params.at("times"), Value(5));
  EXPECT_EQ(batch.customers[0].params.at("mark"), Value("a, \"b\"\nc"));
  EXPECT_EQ(batch.customers[0].params.at("names"), Value(Value::List{Value("u"), Value("v")}));
  EXPECT_EQ(batch.customers[1].id, "007");
  EXPECT_TRUE(batch.customers[1].params.empty());
  EXPECT_EQ(batch.customers[1].position.file, "/tonight/c.csv");
  EXPECT_EQ(batch.customers[1].position.line, 5);
}

TEST_F(Night, SubFoldersAreCustomersInTheOrderOfTheirNames) {
  world.files.put("/tonight/all/zoe/1.txt", "");
  world.files.put("/tonight/all/anna/1.txt", "");
  world.files.put("/tonight/all/anna/story.txt", "");
  world.files.put("/tonight/all/.hidden/1.txt", "");
  world.files.put("/tonight/all/README.md", "");
  for (const char* customers : {"customers: all/\n", "customers: {folder: all}\n"}) {
    const Batch batch = load(customers);
    ASSERT_EQ(batch.customers.size(), 2u);
    EXPECT_EQ(batch.customers[0].id, "anna");
    EXPECT_EQ(batch.customers[0].inputs.at("story"), "/tonight/all/anna/");  // a folder whose name is but an id
    EXPECT_EQ(batch.customers[1].id, "zoe");
  }
}

TEST_F(Night, TheOnlyInputMayBeAFolderInTheSubFolder) {
  world.files.put("/tonight/all/anna/story/1.txt", "");
  EXPECT_EQ(load("customers: all\n").customers[0].inputs.at("story"), "/tonight/all/anna/story");
}

TEST_F(Night, SeveralInputsAreWhatHasTheirNamesInTheSubFolder) {
  world.files.put("/studio/p.yaml",
                  "atelier: 1\nparams: {times: 1, share: 0.5}\n"
                  "inputs: {style: {type: text, scope: batch}, story: {type: text}, hero: {type: texts}}\nsteps: {}\n");
  world.files.put("/tonight/all/anna/story.md", "");
  world.files.put("/tonight/all/anna/hero/1.txt", "");
  const Batch batch = load("customers: all\n");
  EXPECT_EQ(batch.customers[0].inputs.at("story"), "/tonight/all/anna/story.md");
  EXPECT_EQ(batch.customers[0].inputs.at("hero"), "/tonight/all/anna/hero");
}

TEST_F(Night, TenThousandCustomersAreReadInOneGo) {
  std::string csv = "id,story,times\n";
  for (int i = 0; i < 10'000; ++i) csv += "c" + std::to_string(i) + ",anna," + std::to_string(1 + i % 100) + "\n";
  world.files.put("/tonight/c.csv", csv);
  EXPECT_EQ(load("customers: c.csv\n").customers.size(), 10'000u);
}

}  // namespace
}  // namespace atelier
