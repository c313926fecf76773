// Every mistake that a pipeline file can have, its text pinned whole.
#include <gtest/gtest.h>

#include "pipeline_case.h"

namespace atelier {
namespace {

// A right pipeline with one step, before and after which a test puts what is wrong.
std::string with_steps(const std::string& steps, const std::string& rest = {}) {
  return "atelier: 1\ninputs:\n  story: {type: text}\n  style: {type: text, scope: batch}\nsteps:\n" + steps + rest;
}
std::string with_params(const std::string& params, const std::string& steps) {
  return "atelier: 1\nparams:\n" + params + "inputs:\n  story: {type: text}\nsteps:\n" + steps;
}

struct WrongFile {
  const char* name;
  std::string text;
  std::string told;
};

class WrongPipeline : public testing::TestWithParam<WrongFile> {};

TEST_P(WrongPipeline, IsTold) { EXPECT_EQ(PipelineCase(GetParam().text).mistakes(), GetParam().told); }

const WrongFile keys[] = {
    {"UnknownKey", "atelier: 1\nstpes: {}\nsteps: {}\n",
     "/p.yaml:2:1: unknown key 'stpes'; a pipeline has atelier, name, params, inputs, steps, outputs; did you mean "
     "'steps'?\n"},
    {"UnknownKeyOfAStep", with_steps("  a: {use: shout, inn: {text: story}}\n"),
     "/p.yaml:6:3: step 'a': port 'text' is missing; expects text\n"
     "/p.yaml:6:19: unknown key 'inn'; a step has use, in, with, retries, timeout; did you mean 'in'?\n"},
    {"UnknownKeyOfAnInput", "atelier: 1\ninputs: {a: {typ: text}}\nsteps: {}\n",
     "/p.yaml:2:10: input 'a': has no type; expected 'type: …'\n"
     "/p.yaml:2:14: unknown key 'typ'; an input has type, scope; did you mean 'type'?\n"},
    {"UnknownKeyOfAnOutput",
     with_steps("  a: {use: shout, in: {text: story}}\n",
                "outputs:\n  o: {from: a, path: \"${customer}.txt\", to: x}\n"),
     "/p.yaml:8:41: unknown key 'to'; an output has from, path\n"},
    {"NoFormat", "steps: {}\n", "/p.yaml:1:1: 'atelier: 1' is missing; expected it in a pipeline\n"},
    {"OtherFormat", "atelier: 2\nsteps: {}\n",
     "/p.yaml:1:10: key 'atelier': expects 1, the version of the format, is 2\n"},
    {"NoSteps", "atelier: 1\n", "/p.yaml:1:1: 'steps' is missing; expected it in a pipeline\n"},
    {"Empty", "# nothing\n", "/p.yaml: is empty; expected a pipeline, which begins with 'atelier: 1'\n"},
    {"NoMap", "- a\n", "/p.yaml:1:1: the file: expects a map, is a list\n"},
    {"StepsAreNoMap", "atelier: 1\nsteps: [a]\n", "/p.yaml:2:8: key 'steps': expects a map, is a list\n"},
    {"StepsAreEmpty", "atelier: 1\nsteps:\n", "/p.yaml:2:1: key 'steps': expects a map, is nothing\n"},
    {"ABatch", "atelier: 1\npipeline: p.yaml\ncustomers: []\n",
     "/p.yaml:1:1: this is a batch; expected a pipeline, as the one it names\n"},
    {"NameIsAList", "atelier: 1\nname: [a]\nsteps: {}\n", "/p.yaml:2:7: key 'name': expects text, is a list\n"},
    {"NoName", with_steps("  9a.b: {use: shout, in: {text: story}}\n"),
     "/p.yaml:6:3: step '9a.b'; expected a name of letters, digits, '_' and '-' that begins with a letter\n"},
    {"DuplicateStep", with_steps("  a: {use: shout, in: {text: story}}\n  a: {use: count, in: {text: story}}\n"),
     "/p.yaml:7:3: duplicate key 'a'; expected each key once, and line 6 has it\n"},
    {"DuplicateKey", "atelier: 1\nname: a\nname: b\nsteps: {}\n",
     "/p.yaml:3:1: duplicate key 'name'; expected each key once, and line 2 has it\n"},
    {"AStepNamedAsAnInput", with_steps("  story: {use: shout, in: {text: style}}\n"),
     "/p.yaml:6:3: step 'story': an input is named 'story' too; expected another name\n"},
    {"AnInputNamedAsAParam", with_params("  story: 1\n", "  a: {use: shout, in: {text: story}}\n"),
     "/p.yaml:5:3: input 'story': a param is named 'story' too; expected another name\n"},
    {"AnInputNamedAsAKeyOfACustomer", "atelier: 1\ninputs: {id: {type: text}}\nsteps: {}\n",
     "/p.yaml:2:10: input 'id': the name is a key of every customer; expected another\n"},
    {"Condition", with_steps("  a: {use: shout, in: {text: story}, when: true}\n"),
     "/p.yaml:6:38: step 'a': 'when' asks for a condition, which version 1 does not have; expected a pipeline in which "
     "every step runs\n"},
    {"Scatter", with_steps("  a: {use: shout, in: {text: story}, foreach: [1]}\n"),
     "/p.yaml:6:38: step 'a': 'foreach' asks for a scatter, which version 1 does not have; expected a step for each "
     "item, or a customer for each\n"},
    {"Gather", with_steps("  a: {use: shout, in: {text: story}, gather: [b]}\n"),
     "/p.yaml:6:38: step 'a': 'gather' asks for a gather, which version 1 does not have; expected a list of steps in "
     "'in:'\n"},
    {"OptionalInput", "atelier: 1\ninputs: {a: {type: text, optional: true}}\nsteps: {}\n",
     "/p.yaml:2:26: input 'a': 'optional' asks for an optional input, which version 1 does not have; expected every "
     "input to be given\n"},
    {"GatherAsScope", "atelier: 1\ninputs: {a: {type: text, scope: gather}}\nsteps: {}\n",
     "/p.yaml:2:33: input 'a': 'gather' asks for a gather, which version 1 does not have; expected a list of steps in "
     "'in:'\n"},
    {"UnknownScope", "atelier: 1\ninputs: {a: {type: text, scope: bacth}}\nsteps: {}\n",
     "/p.yaml:2:33: input 'a': unknown scope 'bacth'; expected batch or customer; did you mean 'batch'?\n"},
};
INSTANTIATE_TEST_SUITE_P(Keys, WrongPipeline, testing::ValuesIn(keys), [](const auto& one) { return one.param.name; });

const WrongFile connections[] = {
    {"UnknownNode", with_steps("  a: {use: shuot, in: {text: story}}\n"),
     "/p.yaml:6:12: step 'a': no node is named 'shuot'; expected one of blend, count, fail_on, first_word, join, "
     "learn, "
     "params, read, shout, split; did you mean 'shout'?\n"},
    {"EmptyNode", with_steps("  a: {use: \"\"}\n"), "/p.yaml:6:12: step 'a', key 'use': expects text, is empty\n"},
    {"NoNode", with_steps("  a: {in: {text: story}}\n"), "/p.yaml:6:3: step 'a': has no node; expected 'use: …'\n"},
    {"UnknownPort", with_steps("  a: {use: shout, in: {text: story, tex: story}}\n"),
     "/p.yaml:6:37: step 'a': node 'shout' has no port 'tex'; it has text; did you mean 'text'?\n"},
    {"MissingPort", with_steps("  a: {use: shout}\n"), "/p.yaml:6:3: step 'a': port 'text' is missing; expects text\n"},
    {"MissingListPort", with_steps("  a: {use: join}\n"),
     "/p.yaml:6:3: step 'a': port 'parts' is missing; expects a list of text\n"},
    {"EmptyListPort", with_steps("  a: {use: join, in: {parts: []}}\n"),
     "/p.yaml:6:23: step 'a', port 'parts': expects at least one name, the list is empty\n"},
    {"ListForOne", with_steps("  a: {use: shout, in: {text: [story, style]}}\n"),
     "/p.yaml:6:24: step 'a', port 'text': expects one name, is a list\n"},
    {"NoReference", with_steps("  a: {use: join, in: {parts: [{b: c}]}}\n"),
     "/p.yaml:6:31: step 'a', port 'parts': expects the name of an input or a step\n"},
    {"UnknownSource", with_steps("  a: {use: shout, in: {text: stoory}}\n"),
     "/p.yaml:6:30: step 'a', port 'text': no input or step is named 'stoory'; expected one of story, style, a; did "
     "you "
     "mean 'story'?\n"},
    {"InputWithPort", with_steps("  a: {use: shout, in: {text: story.text}}\n"),
     "/p.yaml:6:30: step 'a', port 'text': input 'story' has no ports; expected 'story'\n"},
    {"SeveralOutputs", with_steps("  a: {use: split, in: {text: story}}\n  b: {use: shout, in: {text: a}}\n"),
     "/p.yaml:7:30: step 'b', port 'text': step 'a' has several outputs; expected one of a.head, a.tail\n"},
    {"UnknownOutputPort", with_steps("  a: {use: split, in: {text: story}}\n  b: {use: shout, in: {text: a.haed}}\n"),
     "/p.yaml:7:30: step 'b', port 'text': step 'a' has no output 'haed'; it has head, tail; did you mean 'head'?\n"},
    {"WrongType", with_steps("  a: {use: count, in: {text: story}}\n  b: {use: shout, in: {text: a.tally}}\n"),
     "/p.yaml:7:30: step 'b', port 'text': expects text, 'a.tally' is tally\n"},
    {"WrongTypeInAList",
     with_steps("  a: {use: count, in: {text: story}}\n  b: {use: join, in: {parts: [story, a]}}\n"),
     "/p.yaml:7:38: step 'b', port 'parts': expects text, 'a' is tally\n"},
    {"UnknownType", "atelier: 1\ninputs: {a: {type: txt}}\nsteps: {}\n",
     "/p.yaml:2:20: input 'a': no type is named 'txt'; expected one of text, texts; did you mean 'text'?\n"},
    {"UnknownTypeOfWhatIsUsed", "atelier: 1\ninputs: {a: {type: txt}}\nsteps: {s: {use: shout, in: {text: a}}}\n",
     "/p.yaml:2:20: input 'a': no type is named 'txt'; expected one of text, texts; did you mean 'text'?\n"},
    {"TypeThatIsNoInput", "atelier: 1\ninputs: {a: {type: tally}}\nsteps: {}\n",
     "/p.yaml:2:20: input 'a': tally cannot be given from outside; expected one of text, texts\n"},
    {"Cycle",
     with_steps("  a: {use: shout, in: {text: c}}\n  b: {use: shout, in: {text: a}}\n  c: {use: shout, in: {text: b}}\n"
                "  d: {use: shout, in: {text: c}}\n"),
     "/p.yaml:6:3: cycle: a -> b -> c -> a\n"},
    {"TwoCycles",
     with_steps("  a: {use: shout, in: {text: a}}\n  b: {use: join, in: {parts: [a, c]}}\n"
                "  c: {use: shout, in: {text: b}}\n"),
     "/p.yaml:6:3: cycle: a -> a\n/p.yaml:7:3: cycle: b -> c -> b\n"},
};
INSTANTIATE_TEST_SUITE_P(Connections, WrongPipeline, testing::ValuesIn(connections),
                         [](const auto& one) { return one.param.name; });

const WrongFile params[] = {
    {"UnknownParam", with_steps("  a: {use: shout, in: {text: story}, with: {tims: 3}}\n"),
     "/p.yaml:6:45: step 'a': node 'shout' has no param 'tims'; it has times, mark; did you mean 'times'?\n"},
    {"WrongParamType", with_steps("  a: {use: shout, in: {text: story}, with: {times: \"3\"}}\n"),
     "/p.yaml:6:52: step 'a', param 'times': expects an integer from 1 to 100, is \"3\"\n"},
    {"ParamOutOfRange", with_steps("  a: {use: shout, in: {text: story}, with: {times: 0}}\n"),
     "/p.yaml:6:52: step 'a', param 'times': expects an integer from 1 to 100, is 0\n"},
    {"ParamOutOfRangeThroughATemplate",
     with_params("  n: 101\n", "  a: {use: shout, in: {text: story}, with: {times: \"${n}\"}}\n"),
     "/p.yaml:7:52: step 'a', param 'times': expects an integer from 1 to 100, '${n}' is 101\n"},
    {"TextThroughATemplate",
     with_params("  n: 1\n", "  a: {use: shout, in: {text: story}, with: {times: \"1${n}\"}}\n"),
     "/p.yaml:7:52: step 'a', param 'times': expects an integer from 1 to 100, is \"11\"\n"},
    {"IdForANumber", with_steps("  a: {use: shout, in: {text: story}, with: {times: \"${customer}\"}}\n"),
     "/p.yaml:6:52: step 'a', param 'times': expects an integer from 1 to 100, '${customer}' is \"${customer}\"\n"},
    {"MissingParam", with_steps("  a: {use: params, in: {text: story}}\n"),
     "/p.yaml:6:3: step 'a': param 'label' is missing; expects text\n"},
    {"UnknownChoice", with_steps("  a: {use: params, in: {text: story}, with: {label: x, color: pink}}\n"),
     "/p.yaml:6:63: step 'a', param 'color': expects one of red, green, blue, is \"pink\"\n"},
    {"NearChoice", with_steps("  a: {use: params, in: {text: story}, with: {label: x, color: bleu}}\n"),
     "/p.yaml:6:63: step 'a', param 'color': expects one of red, green, blue, is \"bleu\"; did you mean 'blue'?\n"},
    {"WrongElement", with_steps("  a: {use: params, in: {text: story}, with: {label: x, seeds: [1, b]}}\n"),
     "/p.yaml:6:63: step 'a', param 'seeds': expects a list, each an integer, is [1, \"b\"]\n"},
    {"ElementOutOfRange", with_steps("  a: {use: params, in: {text: story}, with: {label: x, weights: [0, 2]}}\n"),
     "/p.yaml:6:65: step 'a', param 'weights': expects a list, each a number from 0 to 1, is [0, 2]\n"},
    {"MapAsValue", with_steps("  a: {use: shout, in: {text: story}, with: {mark: {a: b}}}\n"),
     "/p.yaml:6:51: step 'a', param 'mark': expects a value or a list, is a map\n"},
    {"NoValue", with_steps("  a: {use: shout, in: {text: story}, with: {mark: }}\n"),
     "/p.yaml:6:45: step 'a', param 'mark': expects a value or a list, is nothing\n"},
    {"NodeCheck", with_steps("  a: {use: blend, in: {base: story, parts: [style]}, with: {weights: [0.5, 1]}}\n"),
     "/p.yaml:6:3: step 'a': 'weights' has 2 and 'parts' has 1: one weight for each part\n"},
    {"UndefinedName",
     with_params("  count: 1\n", "  a: {use: shout, in: {text: story}, with: {times: \"${cuont}\"}}\n"),
     "/p.yaml:7:52: step 'a', param 'times': no param is named 'cuont'; expected one of count, customer; did you mean "
     "'count'?\n"},
    {"OpenTemplate", with_steps("  a: {use: shout, in: {text: story}, with: {mark: \"a${b\"}}\n"),
     "/p.yaml:6:51: step 'a', param 'mark': '${b' is not closed; expected '${name}', or '$${' for the text '${'\n"},
    {"NoNameInATemplate", with_steps("  a: {use: shout, in: {text: story}, with: {mark: \"${a + 1}\"}}\n"),
     "/p.yaml:6:51: step 'a', param 'mark': '${a + 1}' holds no name; expected '${name}', or '$${' for the text "
     "'${'\n"},
    {"ListInAText",
     with_params("  names: [a]\n", "  a: {use: shout, in: {text: story}, with: {mark: \"-${names}\"}}\n"),
     "/p.yaml:7:51: step 'a', param 'mark': 'names' is a list; expected a single value within a text\n"},
    {"ParamWithoutDefault", with_params("  n:\n", "  a: {use: shout, in: {text: story}, with: {times: \"${n}\"}}\n"),
     "/p.yaml:3:3: param 'n': has no value; expected a default, whose type is the param's\n"},
    {"ParamNamedCustomer", with_params("  customer: a\n", "  a: {use: shout, in: {text: story}}\n"),
     "/p.yaml:3:3: param 'customer': '${customer}' is the customer's id; expected another name\n"},
    {"TemplateAsDefault", with_params("  n: a${m}\n", "  a: {use: shout, in: {text: story}}\n"),
     "/p.yaml:3:6: param 'n': 'a${m}' is not replaced here; expected a value\n"},
    {"DoubtfulScalar", with_params("  n: no\n", "  a: {use: shout, in: {text: story}}\n"),
     "/p.yaml:3:6: param 'n': no could mean a boolean or a text; expected true, false or quotes\n"},
};
INSTANTIATE_TEST_SUITE_P(Params, WrongPipeline, testing::ValuesIn(params),
                         [](const auto& one) { return one.param.name; });

std::string with_output(const std::string& output) {
  return with_steps("  a: {use: shout, in: {text: story}}\n  b: {use: shout, in: {text: style}}\n",
                    "outputs:\n" + output);
}

const WrongFile outputs[] = {
    {"NoPath", with_output("  o: {from: a}\n"), "/p.yaml:9:3: output 'o': has no path; expected 'path: …'\n"},
    {"NoSource", with_output("  o: {path: \"${customer}\"}\n"),
     "/p.yaml:9:3: output 'o': comes from nowhere; expected 'from: …'\n"},
    {"UnknownStep", with_output("  o: {from: c, path: x}\n"),
     "/p.yaml:9:13: output 'o': no input or step is named 'c'; expected one of story, style, a, b\n"},
    {"FromAnInput", with_output("  o: {from: story, path: \"${customer}\"}\n"),
     "/p.yaml:9:13: output 'o': 'story' is an input; expected a step\n"},
    {"CustomerInABatchOutput", with_output("  o: {from: b, path: \"${customer}.txt\"}\n"),
     "/p.yaml:9:22: output 'o': it depends on no input of scope customer, so it is written once; expected a path "
     "without "
     "'${customer}'\n"},
    {"NoCustomerInACustomersOutput", with_output("  o: {from: a, path: o.txt}\n"),
     "/p.yaml:9:22: output 'o': every customer has one; expected '${customer}' in its path\n"},
    {"TwoWithOnePath", with_output("  o: {from: b, path: o.txt}\n  p: {from: b, path: o.txt}\n"),
     "/p.yaml:10:22: output 'p': output 'o' has the same path; expected one of its own\n"},
    {"OneWithinTheOther", with_output("  o: {from: b, path: o}\n  p: {from: b, path: o/p.txt}\n"),
     "/p.yaml:10:22: output 'p': one of it and 'o' of output 'o' lies within the other; expected a path beside it\n"},
    {"OneAroundTheOther", with_output("  p: {from: b, path: o/p.txt}\n  o: {from: b, path: o}\n"),
     "/p.yaml:10:22: output 'o': one of it and 'o/p.txt' of output 'p' lies within the other; expected a path beside "
     "it\n"},
    {"Leaves", with_output("  o: {from: b, path: a/../../o.txt}\n"),
     "/p.yaml:9:22: output 'o': 'a/../../o.txt' leaves the output folder; expected a path below it\n"},
    {"Absolute", with_output("  o: {from: b, path: /etc/o.txt}\n"),
     "/p.yaml:9:22: output 'o': '/etc/o.txt' is absolute; expected a path below the output folder\n"},
    {"EmptyPath", with_output("  o: {from: b, path: \"\"}\n"),
     "/p.yaml:9:22: output 'o', key 'path': expects text, is empty\n"},
    {"EmptyPart", with_output("  o: {from: b, path: a//b}\n"),
     "/p.yaml:9:22: output 'o': 'a//b' has an empty part; expected names between the '/'\n"},
    {"AmongTheRuns", with_output("  o: {from: b, path: runs/o.txt}\n"),
     "/p.yaml:9:22: output 'o': 'runs/o.txt' lies in 'runs', where the runs are kept; expected another folder\n"},
    {"FolderForAFile", with_output("  o: {from: b, path: o/}\n"),
     "/p.yaml:9:22: output 'o': text is written as one file: the path must not end with '/'\n"},
    {"UndefinedNameInAPath", with_output("  o: {from: a, path: \"${custmer}/o\"}\n"),
     "/p.yaml:9:22: output 'o': no param is named 'custmer'; expected one of customer; did you mean 'customer'?\n"},
};
INSTANTIATE_TEST_SUITE_P(Outputs, WrongPipeline, testing::ValuesIn(outputs),
                         [](const auto& one) { return one.param.name; });

TEST(PipelineMistakes, AFileThatIsNotThereIsTold) {
  PipelineCase world;
  world.files.put("/pp.yaml", "");
  EXPECT_EQ(world.mistakes(), "/p.yaml: there is no such file; did you mean '/pp.yaml'?\n");
}

TEST(PipelineMistakes, AFolderIsNoFile) {
  PipelineCase world;
  world.files.put("/p.yaml/x", "");
  EXPECT_EQ(world.mistakes(), "/p.yaml: '/p.yaml' is no file\n");
}

TEST(PipelineMistakes, AFileThatCannotBeReadIsTold) {
  PipelineCase world("atelier: 1\n");
  world.files.fail_next("/p.yaml", {ErrorKind::transient, "/p.yaml: Input/output error"});
  EXPECT_EQ(world.mistakes(), "/p.yaml: /p.yaml: Input/output error\n");
}

TEST(PipelineMistakes, AMistakeBeforeAStepIsNotToldAgainAsTheScopeOfItsOutput) {
  PipelineCase world(
      with_steps("  a: {use: shuot, in: {text: story}}\n  b: {use: join, in: {parts: [a, style]}}\n"
                 "  c: {use: shout, in: {text: b}}\n",
                 "outputs:\n  o: {from: c, path: \"${customer}.txt\"}\n"));
  EXPECT_EQ(
      world.mistakes(),
      "/p.yaml:6:12: step 'a': no node is named 'shuot'; expected one of blend, count, fail_on, first_word, join, "
      "learn, params, read, shout, split; did you mean 'shout'?\n");
}

TEST(PipelineMistakes, AllOfAFileAreToldInTheOrderOfTheirPlaces) {
  PipelineCase world(
      with_steps("  b: {use: shout, in: {text: nothing}, with: {times: 0}}\n  a: {use: shuot}\n", "x: 1\n"));
  EXPECT_EQ(
      world.mistakes(),
      "/p.yaml:6:30: step 'b', port 'text': no input or step is named 'nothing'; expected one of story, style, b, "
      "a\n"
      "/p.yaml:6:54: step 'b', param 'times': expects an integer from 1 to 100, is 0\n"
      "/p.yaml:7:12: step 'a': no node is named 'shuot'; expected one of blend, count, fail_on, first_word, join, "
      "learn, params, read, shout, split; did you mean 'shout'?\n"
      "/p.yaml:8:1: unknown key 'x'; a pipeline has atelier, name, params, inputs, steps, outputs\n");
}

}  // namespace
}  // namespace atelier
