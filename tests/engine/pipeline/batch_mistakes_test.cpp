// Every mistake that a batch can have, its text pinned whole.
#include <gtest/gtest.h>

#include "pipeline_case.h"

namespace atelier {
namespace {

constexpr const char* pipeline = R"(atelier: 1
params:
  times: 2
  mark: "!"
  loud: 1
  folder: stories
  weights: [0.5]
inputs:
  style: {type: text, scope: batch}
  story: {type: text}
steps:
  shared: {use: shout, in: {text: style}, with: {times: "${loud}"}}
  told: {use: shout, in: {text: story}, with: {times: "${times}", mark: "${mark}"}}
  mixed: {use: blend, in: {base: told, parts: [shared]}, with: {weights: "${weights}"}}
  named: {use: params, in: {text: told}, with: {label: x, color: red, names: ["${customer}"]}}
outputs:
  shared: {from: shared, path: shared.txt}
  told: {from: told, path: "${folder}/${customer}.txt"}
)";

const std::map<std::string, std::string> world{{"/s.txt", "style"}, {"/a.txt", "a"}, {"/b.txt", "b"}};

struct WrongBatch {
  const char* name;
  std::string text;
  std::string told;
  std::map<std::string, std::string> others{};
  Settings settings{};
};

class WrongNight : public testing::TestWithParam<WrongBatch> {};

TEST_P(WrongNight, IsTold) {
  PipelineCase night(pipeline, world);
  for (const auto& [path, text] : GetParam().others) night.files.put(path, text);
  night.files.put("/night.yaml", GetParam().text);
  EXPECT_EQ(night.night_mistakes(GetParam().settings), GetParam().told);
}

std::string with_customers(const std::string& customers) {
  return "atelier: 1\npipeline: p.yaml\ninputs: {style: s.txt}\ncustomers:" + customers;
}
std::string with_rest(const std::string& rest) {
  return "atelier: 1\npipeline: p.yaml\n" + rest + "customers: [{id: a, story: a.txt}]\n";
}
const std::string style = "inputs: {style: s.txt}\n";
const std::string one_customer = " [{id: a, story: a.txt}]\n";

const WrongBatch files[] = {
    {"UnknownKey", with_rest(style + "custmers: []\n"),
     "/night.yaml:4:1: unknown key 'custmers'; a batch has atelier, pipeline, name, inputs, params, paths, customers; "
     "did "
     "you mean 'customers'?\n"},
    {"EmptyPipeline", "atelier: 1\npipeline: \"\"\n", "/night.yaml:2:11: key 'pipeline': expects text, is empty\n"},
    {"EmptyInput", with_customers(" [{id: a, story: ''}]\n"),
     "/night.yaml:4:28: customer 'a', input 'story': expects text, is empty\n"},
    {"NoPipeline", "atelier: 1\ncustomers: []\n", "/night.yaml:1:1: 'pipeline' is missing; expected it in a batch\n"},
    {"PipelineThatIsNotThere", "atelier: 1\npipeline: q.yaml\ncustomers: []\n",
     "/night.yaml:2:11: key 'pipeline': there is no file '/q.yaml'; did you mean '/p.yaml'?\n"},
    {"Empty", "", "/night.yaml: is empty; expected a batch, which begins with 'atelier: 1'\n"},
    {"APipeline", "atelier: 1\nsteps: {}\n",
     "/night.yaml:1:1: this is a pipeline; expected a batch, which names one with 'pipeline: …'\n"},
    {"NoCustomersKey", "atelier: 1\npipeline: p.yaml\n" + style,
     "/night.yaml:1:1: 'customers' is missing; expected it in a batch\n"},
    {"NoCustomers", with_customers(" []\n"),
     "/night.yaml:4:12: key 'customers': there are none; expected at least one\n"},
    {"EmptyCustomers", with_customers("\n"),
     "/night.yaml:4:1: key 'customers': there are none; expected at least one\n"},
    {"WrongPipeline",
     "atelier: 1\npipeline: wrong.yaml\ncustomers: [{id: a b}]\n",
     "/night.yaml:3:18: id 'a b': ' ' does not suit a file name; expected letters, digits, '-', '_' and '.'\n"
     "/wrong.yaml:2:1: unknown key 'x'; a pipeline has atelier, name, params, inputs, steps, outputs\n",
     {{"/wrong.yaml", "atelier: 1\nx: 1\nsteps: {}\n"}}},
};
INSTANTIATE_TEST_SUITE_P(Files, WrongNight, testing::ValuesIn(files), [](const auto& one) { return one.param.name; });

const WrongBatch values[] = {
    {"UnknownInput", with_rest("inputs: {style: s.txt, stile: s.txt}\n"),
     "/night.yaml:3:24: no input of the batch is named 'stile'; expected one of style; did you mean 'style'?\n"},
    {"InputOfCustomers", with_rest("inputs: {style: s.txt, story: s.txt}\n"),
     "/night.yaml:3:24: input 'story': every customer has one; expected it with each customer\n"},
    {"MissingInput", with_rest("inputs: {}\n"),
     "/night.yaml:3:9: input 'style' is missing; expected its path under 'inputs:'\n"},
    {"MissingInputs", with_rest(""), "/night.yaml:1:1: input 'style' is missing; expected its path under 'inputs:'\n"},
    {"InputThatIsNotThere", with_rest("inputs: {style: t.txt}\n"),
     "/night.yaml:3:17: input 'style': there is no file or folder '/t.txt'; did you mean '/a.txt'?\n"},
    {"InputIsAList", with_rest("inputs: {style: [s.txt]}\n"),
     "/night.yaml:3:17: input 'style': expects text, is a list\n"},
    {"UnknownParam", with_rest(style + "params: {tims: 1}\n"),
     "/night.yaml:4:10: no param is named 'tims'; the pipeline has times, mark, loud, folder, weights; did you mean "
     "'times'?\n"},
    {"WrongType", with_rest(style + "params: {times: 1.5}\n"),
     "/night.yaml:4:17: param 'times': expects an integer, is 1.5\n"},
    {"WrongElementType", with_rest(style + "params: {weights: [a]}\n"),
     "/night.yaml:4:19: param 'weights': expects a list, each a number, is [\"a\"]\n"},
    {"OutOfRange", with_rest(style + "params: {times: 200}\n"),
     "/night.yaml:4:17: step 'told', param 'times': expects an integer from 1 to 100, '${times}' is 200\n"},
    {"OutOfRangeBesideOthers", with_rest("params: {times: 200, mark: 3, lout: 1}\n"),
     "/night.yaml:1:1: input 'style' is missing; expected its path under 'inputs:'\n"
     "/night.yaml:3:17: step 'told', param 'times': expects an integer from 1 to 100, '${times}' is 200\n"
     "/night.yaml:3:28: param 'mark': expects text, is 3\n"
     "/night.yaml:3:31: no param is named 'lout'; the pipeline has times, mark, loud, folder, weights; did you mean "
     "'loud'?\n"},
    {"NodeCheck", with_rest(style + "params: {weights: [0.1, 0.2]}\n"),
     "/night.yaml:4:19: step 'mixed': 'weights' has 2 and 'parts' has 1: one weight for each part\n"},
    {"OutputLeaves", with_rest(style + "params: {folder: ..}\n"),
     "/night.yaml:5:13: output 'told' of customer 'a': '../a.txt' leaves the output folder; expected a path below "
     "it\n"},
};
INSTANTIATE_TEST_SUITE_P(Values, WrongNight, testing::ValuesIn(values), [](const auto& one) { return one.param.name; });

const WrongBatch settings[] = {
    {"Unknown",
     with_rest(style),
     "--set tims=1: no param is named 'tims'; the pipeline has times, mark, loud, folder, "
     "weights; did you mean 'times'?\n",
     {},
     {{"tims", "1"}}},
    {"WrongType", with_rest(style), "--set times=abc: expects an integer\n", {}, {{"times", "abc"}}},
    {"NoList", with_rest(style), "--set weights=0.1: expects a list, each a number\n", {}, {{"weights", "0.1"}}},
    {"OpenList", with_rest(style), "--set weights=[0.1: expects a list, each a number\n", {}, {{"weights", "[0.1"}}},
    {"OutOfRange",
     with_rest(style),
     "--set times=0: step 'told', param 'times': expects an integer from 1 to 100, '${times}' is 0\n",
     {},
     {{"times", "0"}}},
};
INSTANTIATE_TEST_SUITE_P(Settings, WrongNight, testing::ValuesIn(settings),
                         [](const auto& one) { return one.param.name; });

const WrongBatch lists[] = {
    {"Twice", with_customers("\n- {id: a, story: a.txt}\n- {id: a, story: b.txt}\n"),
     "/night.yaml:6:8: customer 'a' is there twice; expected each id once, and line 5 has it\n"},
    {"Unsuited", with_customers(" [{id: a/b, story: a.txt}]\n"),
     "/night.yaml:4:18: id 'a/b': '/' does not suit a file name; expected letters, digits, '-', '_' and '.'\n"},
    {"UnsuitedLetter", with_customers(" [{id: zoé, story: a.txt}]\n"),
     "/night.yaml:4:18: id 'zoé': 'é' does not suit a file name; expected letters, digits, '-', '_' and '.'\n"},
    {"Dots", with_customers(" [{id: .., story: a.txt}]\n"),
     "/night.yaml:4:18: id '..' begins with '.'; expected a letter, a digit or '_' there\n"},
    {"Runs", with_customers(" [{id: runs, story: a.txt}]\n"),
     "/night.yaml:4:18: id 'runs' is the folder where the runs are kept; expected another\n"},
    {"EmptyId", with_customers(" [{id: \"\", story: a.txt}]\n"),
     "/night.yaml:4:18: a customer, key 'id': expects text, is empty\n"},
    {"LongId", with_customers(" [{id: " + std::string(101, 'x') + ", story: a.txt}]\n"),
     "/night.yaml:4:18: id 'xxxxxxxxxxxxxxxxxxxx…' has 101 characters; expected at most 100\n"},
    {"NoId", with_customers(" [{story: a.txt}]\n"), "/night.yaml:4:13: a customer has no id; expected 'id: …'\n"},
    {"NoMap", with_customers(" [a]\n"), "/night.yaml:4:13: a customer: expects a map, is a single value\n"},
    {"MissingInput", with_customers(" [{id: a}]\n"),
     "/night.yaml:4:13: customer 'a': input 'story' is missing; expected its path\n"},
    {"UnknownKey", with_customers(" [{id: a, story: a.txt, stroy: b.txt}]\n"),
     "/night.yaml:4:35: customer 'a': unknown key 'stroy'; a customer has id, story, params; did you mean 'story'?\n"},
    {"InputOfTheBatch", with_customers(" [{id: a, story: a.txt, style: b.txt}]\n"),
     "/night.yaml:4:35: customer 'a': input 'style' is the same for every customer; expected it under the batch's "
     "'inputs:'\n"},
    {"ParamAsKey", with_customers(" [{id: a, story: a.txt, times: 3}]\n"),
     "/night.yaml:4:35: customer 'a': 'times' is a param; expected it under the customer's 'params:'\n"},
    {"InputThatIsNotThere", with_customers(" [{id: a, story: c.txt}]\n"),
     "/night.yaml:4:28: customer 'a', input 'story': there is no file or folder '/c.txt'\n"},
    {"UnknownParam", with_customers(" [{id: a, story: a.txt, params: {tims: 3}}]\n"),
     "/night.yaml:4:44: customer 'a': no param is named 'tims'; expected one of times, mark, loud, folder, weights; "
     "did "
     "you mean 'times'?\n"},
    {"WrongType", with_customers(" [{id: a, story: a.txt, params: {times: x}}]\n"),
     "/night.yaml:4:51: customer 'a', param 'times': expects an integer, is \"x\"\n"},
    {"OutOfRange", with_customers(" [{id: a, story: a.txt, params: {times: 101}}]\n"),
     "/night.yaml:4:51: customer 'a', step 'told', param 'times': expects an integer from 1 to 100, '${times}' is "
     "101\n"},
    {"ParamOfTheBatch", with_customers(" [{id: a, story: a.txt, params: {loud: 3}}]\n"),
     "/night.yaml:4:44: customer 'a', param 'loud': changes nothing for a single customer; expected it under the "
     "batch's "
     "'params:'\n"},
    {"OnePath",
     with_customers(
         "\n- {id: a, story: a.txt, params: {folder: x/b.txt}}\n- {id: b, story: b.txt, params: {folder: x}}\n"),
     "/night.yaml:6:3: output 'told' of customer 'b': one of it and 'x/b.txt/a.txt' of output 'told' of customer 'a' "
     "lies "
     "within the other; expected a path beside it\n"},
    {"PathOfTheBatch", with_customers(" [{id: a, story: a.txt, params: {folder: shared.txt}}]\n"),
     "/night.yaml:4:13: output 'told' of customer 'a': one of it and 'shared.txt' of output 'shared' lies within the "
     "other; expected a path beside it\n"},
};
INSTANTIATE_TEST_SUITE_P(Lists, WrongNight, testing::ValuesIn(lists), [](const auto& one) { return one.param.name; });

const WrongBatch places[] = {
    {"NotThere", with_customers(" c.csv\n"),
     "/night.yaml:4:12: key 'customers': there is no file or folder '/c.csv'\n"},
    {"FolderNearAnother",
     with_customers(" tonigth/\n"),
     "/night.yaml:4:12: key 'customers': there is no file or folder '/tonigth/'; did you mean '/tonight'?\n",
     {{"/tonight/a/a.txt", ""}}},
    {"UnknownKind", with_customers(" {xls: c.csv}\n"),
     "/night.yaml:4:12: key 'customers': expects a list, 'csv: …' or 'folder: …'\n"
     "/night.yaml:4:13: unknown key 'xls'; 'customers' has csv, folder\n"},
    {"CsvThatIsAFolder",
     with_customers(" {csv: c}\n"),
     "/night.yaml:4:18: key 'customers': '/c' is a folder; expected a CSV file\n",
     {{"/c/x/y", ""}}},
    {"FolderThatIsAFile",
     with_customers(" {folder: c}\n"),
     "/night.yaml:4:21: key 'customers': '/c' is a file; expected a folder\n",
     {{"/c", ""}}},
    {"EmptyFolder",
     with_customers(" c\n"),
     "/night.yaml:4:12: key 'customers': '/c' has no sub-folder; expected one for each customer\n",
     {{"/c/x.txt", ""}}},
    {"SubFolderThatIsNoId",
     with_customers(" c\n"),
     "/night.yaml:4:12: id 'a b': ' ' does not suit a file name; expected letters, digits, '-', '_' and '.'\n",
     {{"/c/a b/x.txt", ""}}},
    {"EmptyCsv",
     with_customers(" c.csv\n"),
     "/c.csv: is empty; expected a line of column names, which begins with 'id'\n",
     {{"/c.csv", "\n\n"}}},
    {"CsvWithoutCustomers",
     with_customers(" c.csv\n"),
     "/c.csv: has no customers; expected a line for each below the column names\n",
     {{"/c.csv", "id,story\n"}}},
    {"NoIdColumn",
     with_customers(" c.csv\n"),
     "/c.csv:1:1: no column 'id'; expected one\n",
     {{"/c.csv", "story\na.txt\n"}}},
    {"UnknownColumn",
     with_customers(" c.csv\n"),
     "/c.csv:1:4: unknown column 'storry'; expected one of id, story, times, mark, loud, folder, weights; did you mean "
     "'story'?\n"
     "/c.csv:2:1: customer 'a': input 'story' is missing; expected its path\n",
     {{"/c.csv", "id,storry\na,a.txt\n"}}},
    {"ColumnTwice",
     with_customers(" c.csv\n"),
     "/c.csv:1:10: column 'story' is there twice; expected each once\n",
     {{"/c.csv", "id,story,story\na,a.txt,b.txt\n"}}},
    {"ColumnOfTheBatch",
     with_customers(" c.csv\n"),
     "/c.csv:1:10: column 'style': the input is the same for every customer; expected it under the batch's 'inputs:'\n"
     "/c.csv:1:16: column 'loud': changes nothing for a single customer; expected it under the batch's 'params:'\n",
     {{"/c.csv", "id,story,style,loud\na,a.txt,b.txt,1\n"}}},
    {"Semicolons",
     with_customers(" c.csv\n"),
     "/c.csv:1:1: the columns are separated by ';'; expected ','\n",
     {{"/c.csv", "id;story\na;a.txt\n"}}},
    {"RowOfAnotherLength",
     with_customers(" c.csv\n"),
     "/c.csv:3:1: 1 cells; expected 2, as many as there are columns\n",
     {{"/c.csv", "id,story\na,a.txt\nb\n"}}},
    {"OpenQuote",
     with_customers(" c.csv\n"),
     "/c.csv:2:3: a quote that is not closed; expected '\"' at the end of the cell\n",
     {{"/c.csv", "id,story\na,\"a.txt\n"}}},
    {"TextAfterAQuote",
     with_customers(" c.csv\n"),
     "/c.csv:2:10: text after a closing quote; expected ',' or the end of the line\n",
     {{"/c.csv", "id,story\na,\"a.txt\"x\n"}}},
    {"QuoteInACell",
     with_customers(" c.csv\n"),
     "/c.csv:2:3: customer 'a', input 'story': there is no file or folder '/a\".txt'\n"
     "/c.csv:2:4: a quote within a cell; expected quotes around the whole cell, and \"\" for one within\n",
     {{"/c.csv", "id,story\na,a\".txt\n"}}},
    {"CellOfAnotherType",
     with_customers(" c.csv\n"),
     "/c.csv:2:9: customer 'a', param 'times': expects an integer, is two\n",
     {{"/c.csv", "id,story,times\na,a.txt,two\n"}}},
    {"CellOutOfRange",
     with_customers(" c.csv\n"),
     "/c.csv:2:9: customer 'a', step 'told', param 'times': expects an integer from 1 to 100, '${times}' is 0\n",
     {{"/c.csv", "id,story,times\na,a.txt,0\n"}}},
    {"CsvPathsThatLeadOut",
     "atelier: 1\npipeline: p.yaml\ninputs: {style: s.txt}\ncustomers: lists/c.csv\n",
     "/lists/c.csv:2:3: customer 'a', input 'story': '../a.txt' leads out of the CSV file's folder; expected a path "
     "inside it, or 'paths: anywhere' in the batch file\n"
     "/lists/c.csv:3:3: customer 'b', input 'story': '/b.txt' leads out of the CSV file's folder; expected a path "
     "inside it, or 'paths: anywhere' in the batch file\n",
     {{"/lists/c.csv", "id,story\na,../a.txt\nb,/b.txt\nc,x/../c.txt\n"}, {"/lists/c.txt", ""}}},
    {"PathsOfAnotherKind", with_rest(style + "paths: outside\n"),
     "/night.yaml:4:8: key 'paths': expects inside or anywhere, is 'outside'\n"},
    {"TwiceInACsv",
     with_customers(" c.csv\n"),
     "/c.csv:3:1: customer 'a' is there twice; expected each id once, and line 2 has it\n",
     {{"/c.csv", "id,story\na,a.txt\na,b.txt\n"}}},
    {"CsvNotUtf8",
     with_customers(" c.csv\n"),
     "/c.csv:2:2: byte 0xE9 is not UTF-8; expected a text in UTF-8\n",
     {{"/c.csv", "id,story\nz\xE9,a.txt\n"}}},
};
INSTANTIATE_TEST_SUITE_P(Places, WrongNight, testing::ValuesIn(places), [](const auto& one) { return one.param.name; });

TEST(BatchMistakes, AFileThatIsNotThereIsTold) {
  EXPECT_EQ(PipelineCase(pipeline).night_mistakes(), "/night.yaml: there is no such file\n");
}

TEST(BatchMistakes, ASubFolderMustHoldWhatIsNamedAsTheInputs) {
  PipelineCase night("atelier: 1\ninputs: {story: {type: text}, hero: {type: text}}\nsteps: {}\n",
                     {{"/night.yaml", "atelier: 1\npipeline: p.yaml\ncustomers: c/\n"},
                      {"/c/anna/story.txt", ""},
                      {"/c/anna/heroe", ""}});
  EXPECT_EQ(
      night.night_mistakes(),
      "/night.yaml:3:12: customer 'anna': '/c/anna' has nothing named 'hero'; expected a sub-folder or a file for "
      "the input; did you mean 'heroe'?\n");
}

TEST(BatchMistakes, ACsvCellMustHoldAnIdAndAParamMustNotEmptyAPath) {
  PipelineCase night(pipeline, world);
  night.files.put("/night.yaml", with_customers(" c.csv\n"));
  night.files.put("/c.csv", "id,story\n\"\",a.txt\n");
  EXPECT_EQ(night.night_mistakes(), "/c.csv:2:1: the id is empty; expected letters, digits, '-', '_' and '.'\n");
  PipelineCase empty(
      "atelier: 1\nparams: {to: x}\ninputs: {style: {type: text, scope: batch}}\n"
      "steps: {a: {use: shout, in: {text: style}}}\noutputs: {o: {from: a, path: \"${to}\"}}\n",
      world);
  empty.files.put("/night.yaml",
                  "atelier: 1\npipeline: p.yaml\ninputs: {style: s.txt}\nparams: {to: \"\"}\ncustomers: [{id: a}]\n");
  EXPECT_EQ(empty.night_mistakes(),
            "/p.yaml:5:30: output 'o': the path is empty; expected a path below the output folder\n");
}

TEST(BatchMistakes, AFileInTheFolderWhereTheUserIsHasNoFolderInItsName) {
  PipelineCase night;
  EXPECT_EQ(lines(load_batch(night.files, "nowhere.yaml", night.registry).error()),
            "nowhere.yaml: there is no such file\n");
  night.files.put(std::filesystem::absolute("night.yaml"), "atelier: 1\npipeline: .\ncustomers: []\n");
  EXPECT_EQ(lines(load_batch(night.files, "night.yaml", night.registry).error()),
            "night.yaml:2:11: key 'pipeline': '.' is no file\n");
}

TEST(BatchMistakes, AChoiceMadeByAnIdIsCheckedForEveryCustomer) {
  PipelineCase night(
      "atelier: 1\ninputs: {story: {type: text}}\n"
      "steps: {a: {use: params, in: {text: story}, with: {label: x, color: \"${customer}\"}}}\n",
      {{"/night.yaml", "atelier: 1\npipeline: p.yaml\ncustomers: [{id: red, story: s}, {id: pink, story: s}]\n"},
       {"/s", ""}});
  EXPECT_EQ(
      night.night_mistakes(),
      "/night.yaml:3:34: customer 'pink', step 'a', param 'color': expects one of red, green, blue, '${customer}' is "
      "\"pink\"\n");
}

}  // namespace
}  // namespace atelier
