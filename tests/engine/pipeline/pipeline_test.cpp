// What a right pipeline becomes.
#include "pipeline/pipeline.h"

#include <gtest/gtest.h>

#include "pipeline/order.h"
#include "pipeline_case.h"

namespace atelier {
namespace {

const PipelineStep& step_named(const Pipeline& pipeline, std::string_view name) {
  const auto found = std::ranges::find(pipeline.steps, name, &PipelineStep::name);
  if (found == pipeline.steps.end()) throw Fault("no step " + std::string(name));
  return *found;
}

std::vector<std::string> names_of(const Pipeline& pipeline) {
  std::vector<std::string> names;
  for (const auto& step : pipeline.steps) names.push_back(step.name);
  return names;
}

// "story" or "prepared.cut.tail": what feeds a port.
std::vector<std::string> sources_of(const Pipeline& pipeline, std::string_view step, std::string_view port) {
  std::vector<std::string> names;
  for (const auto& binding : step_named(pipeline, step).inputs)
    for (const auto& source : binding.sources)
      if (binding.spec->name == port)
        names.push_back(source.kind == Source::Kind::input ? pipeline.inputs[source.index].name
                                                           : pipeline.steps[source.index].name + "." + source.port);
  return names;
}

Value param_of(const Pipeline& pipeline, std::string_view step, std::string_view param, const ParamValues& values) {
  for (const auto& binding : step_named(pipeline, step).params)
    if (binding.spec->name == param) return evaluate(binding.expression, values);
  return {};
}

Pipeline right(PipelineCase& world) {
  EXPECT_EQ(world.mistakes(), "");
  return *world.load();
}

TEST(PipelineFileRead, StepsStandAfterWhatFeedsThemAndOtherwiseAsInTheFile) {
  PipelineCase world(R"(atelier: 1
inputs: {story: {type: text}}
steps:
  last: {use: join, in: {parts: [b, a]}}
  b: {use: shout, in: {text: story}}
  leaf: {use: count, in: {text: story}}
  a: {use: shout, in: {text: b}}
)");
  const Pipeline pipeline = right(world);
  EXPECT_EQ(names_of(pipeline), (std::vector<std::string>{"b", "leaf", "a", "last"}));
  EXPECT_EQ(sources_of(pipeline, "last", "parts"), (std::vector<std::string>{"b.text", "a.text"}));
}

// Its result and, aside, remarks on it.
class Remarking final : public SingleNode {
 public:
  Remarking() {
    spec_.name = "remark";
    spec_.inputs = {{"text", "text", "A text."}};
    spec_.outputs = {{"text", "text", "The same."}, {"remarks", "text", "On it.", false, true, true}};
  }
  const NodeSpec& spec() const override { return spec_; }
  Expected<Outputs> run_one(const Job&, Device&) const override { return Outputs{}; }

 private:
  NodeSpec spec_;
};

TEST(PipelineFileRead, AStepsNameAloneMeansTheOutputThatIsNoAside) {
  PipelineCase world(R"(atelier: 1
inputs: {story: {type: text}}
steps:
  a: {use: remark, in: {text: story}}
  b: {use: join, in: {parts: [a, a.remarks]}}
outputs:
  o: {from: a, path: "${customer}.txt"}
)");
  world.registry.add(std::make_unique<Remarking>());
  const Pipeline pipeline = right(world);
  EXPECT_EQ(sources_of(pipeline, "b", "parts"), (std::vector<std::string>{"a.text", "a.remarks"}));
  EXPECT_EQ(pipeline.outputs[0].port, "text");
}

TEST(PipelineFileRead, OutputsAndPortsOfSeveralOutputsAreFound) {
  PipelineCase world(R"(atelier: 1
inputs: {story: {type: text}}
steps:
  cut: {use: split, in: {text: story}}
  sum: {use: count, in: {text: cut.tail}}
outputs:
  head: {from: cut.head, path: "${customer}/head.txt"}
  sum: {from: sum, path: "${customer}/sum.txt"}
)");
  const Pipeline pipeline = right(world);
  EXPECT_EQ(sources_of(pipeline, "sum", "text"), (std::vector<std::string>{"cut.tail"}));
  ASSERT_EQ(pipeline.outputs.size(), 2u);
  EXPECT_EQ(pipeline.steps[pipeline.outputs[0].step].name, "cut");
  EXPECT_EQ(pipeline.outputs[0].port, "head");
  EXPECT_EQ(pipeline.outputs[1].type->name(), "tally");
  EXPECT_EQ(evaluate(pipeline.outputs[0].path, {{"customer", Value("anna")}}), "anna/head.txt");
}

TEST(PipelineFileRead, APortThatTakesManyTakesOneWithoutAList) {
  PipelineCase world("atelier: 1\ninputs: {story: {type: text}}\nsteps: {a: {use: join, in: {parts: story}}}\n");
  EXPECT_EQ(sources_of(right(world), "a", "parts"), (std::vector<std::string>{"story"}));
}

TEST(PipelineFileRead, AnOptionalPortMayBeAbsent) {
  PipelineCase world("atelier: 1\ninputs: {story: {type: text}}\nsteps: {a: {use: join, in: {parts: [story]}}}\n");
  EXPECT_EQ(right(world).steps.front().inputs.size(), 1u);
}

TEST(PipelineFileRead, TheNameIsTheFilesWhereNoneIsGiven) {
  PipelineCase world("atelier: 1\nsteps: {}\n");
  EXPECT_EQ(right(world).name, "p");
  EXPECT_EQ(right(world).file, "/p.yaml");
}

TEST(PipelineFileRead, ANameAfterADefaultIsItsTypes) {
  PipelineCase world(R"(atelier: 1
params: {n: 3, marks: ["!", "/p.yaml:5:28: cycle: a -> b -> a\n"], word: sks}
inputs: {story: {type: text}}
steps:
  a: {use: shout, in: {text: story}, with: {times: "${n}", mark: "${n} ${word} $${n}"}}
  b: {use: params, in: {text: story}, with: {label: "${word}", share: 1, names: "${marks}", seeds: [1, "${n}"]}}
)");
  const Pipeline pipeline = right(world);
  const ParamValues values{{"n", Value(5)}, {"marks", Value(Value::List{Value("x")})}, {"word", Value("w")}};
  EXPECT_EQ(param_of(pipeline, "a", "times", values), Value(5));
  EXPECT_EQ(param_of(pipeline, "a", "mark", values), Value("5 w ${n}"));
  EXPECT_EQ(param_of(pipeline, "b", "names", values), Value(Value::List{Value("x")}));
  EXPECT_EQ(param_of(pipeline, "b", "seeds", values), Value(Value::List{Value(1), Value(5)}));
  EXPECT_EQ(param_of(pipeline, "b", "share", values), Value(1));
}

TEST(PipelineFileRead, AStepIsACustomersWhereAnInputOrTheIdMakesItSo) {
  PipelineCase world(R"(atelier: 1
inputs: {story: {type: text}, style: {type: text, scope: batch}}
steps:
  shared: {use: shout, in: {text: style}}
  own: {use: shout, in: {text: story}}
  below: {use: join, in: {parts: [shared, own]}}
  named: {use: shout, in: {text: style}, with: {mark: "${customer}"}}
  behind: {use: count, in: {text: named}}
)");
  const Pipeline pipeline = right(world);
  EXPECT_EQ(step_named(pipeline, "shared").scope, Scope::batch);
  for (const char* name : {"own", "below", "named", "behind"})
    EXPECT_EQ(step_named(pipeline, name).scope, Scope::customer) << name;
}

// Modules.

const std::string prepare = R"(atelier: 1
params: {trigger: "", times: 1}
inputs: {raw: {type: text}, base: {type: text}}
steps:
  cut: {use: split, in: {text: raw}}
  loud: {use: shout, in: {text: cut.tail}, with: {times: "${times}", mark: "${trigger} person"}}
  both: {use: join, in: {parts: [loud, base]}}
outputs:
  whole: {from: both}
  start: {from: cut.head}
  base: {from: base}
)";

const std::string using_prepare = R"(atelier: 1
params: {word: sks, n: 2}
inputs: {story: {type: text}, style: {type: text, scope: batch}}
steps:
  end: {use: join, in: {parts: [told.whole, shared.start, told.base]}}
  told: {use: ./modules/prepare.yaml, in: {raw: story, base: style}, with: {trigger: "the ${word}", times: "${n}"}}
  shared: {use: modules/prepare.yaml, in: {raw: style, base: style}}
outputs:
  whole: {from: told.whole, path: "${customer}/whole.txt"}
)";

struct Modules : testing::Test {
  PipelineCase world{using_prepare, {{"/modules/prepare.yaml", prepare}}};
};

TEST_F(Modules, BecomeStepsNamedAfterTheirUse) {
  EXPECT_EQ(names_of(right(world)), (std::vector<std::string>{"told.cut", "told.loud", "told.both", "shared.cut", "end",
                                                              "shared.loud", "shared.both"}));
}

TEST_F(Modules, AreConnectedThroughInputsAndOutputs) {
  const Pipeline pipeline = right(world);
  EXPECT_EQ(sources_of(pipeline, "end", "parts"),
            (std::vector<std::string>{"told.both.text", "shared.cut.head", "style"}));
  EXPECT_EQ(sources_of(pipeline, "told.both", "parts"), (std::vector<std::string>{"told.loud.text", "style"}));
  EXPECT_EQ(pipeline.steps[pipeline.outputs[0].step].name, "told.both");
}

TEST_F(Modules, TakeParamsAndOtherwiseTheirOwnDefaults) {
  const Pipeline pipeline = right(world);
  const ParamValues values{{"word", Value("w")}, {"n", Value(7)}};
  EXPECT_EQ(param_of(pipeline, "told.loud", "mark", values), Value("the w person"));
  EXPECT_EQ(param_of(pipeline, "told.loud", "times", values), Value(7));
  EXPECT_EQ(param_of(pipeline, "shared.loud", "mark", values), Value(" person"));
  EXPECT_EQ(param_of(pipeline, "shared.loud", "times", values), Value(1));
}

TEST_F(Modules, HaveTheScopeOfWhatIsConnected) {
  const Pipeline pipeline = right(world);
  EXPECT_EQ(step_named(pipeline, "told.both").scope, Scope::customer);
  EXPECT_EQ(step_named(pipeline, "shared.both").scope, Scope::batch);
}

TEST_F(Modules, MayUseModules) {
  world.files.put("/p.yaml",
                  "atelier: 1\ninputs: {story: {type: text}}\nsteps: {o: {use: modules/outer.yaml, in: {a: story}}}\n"
                  "outputs: {x: {from: o.x, path: \"${customer}\"}}\n");
  world.files.put("/modules/outer.yaml",
                  "atelier: 1\nparams: {t: 3}\ninputs: {a: {type: text}}\n"
                  "steps: {i: {use: prepare.yaml, in: {raw: a, base: a}, with: {times: \"${t}\"}}}\n"
                  "outputs: {x: {from: i.whole}}\n");
  const Pipeline pipeline = right(world);
  EXPECT_EQ(names_of(pipeline), (std::vector<std::string>{"o.i.cut", "o.i.loud", "o.i.both"}));
  EXPECT_EQ(param_of(pipeline, "o.i.loud", "times", {}), Value(3));
}

TEST_F(Modules, AreReadOnce) {
  const std::size_t before = world.files.reads();
  right(world);
  EXPECT_EQ(world.files.reads() - before, 4u);  // two loads of two files
}

struct WrongUse {
  const char* name;
  std::string steps, module, told;
};

class WrongModule : public testing::TestWithParam<WrongUse> {};

TEST_P(WrongModule, IsTold) {
  PipelineCase world("atelier: 1\nparams: {n: 2}\ninputs: {story: {type: text}}\nsteps:\n" + GetParam().steps,
                     {{"/m.yaml", GetParam().module}});
  EXPECT_EQ(world.mistakes(), GetParam().told);
}

const std::string plain = R"(atelier: 1
params: {times: 1, share: 0.5}
inputs: {text: {type: text}}
steps: {loud: {use: shout, in: {text: text}, with: {times: "${times}"}}}
outputs: {loud: {from: loud}}
)";

const WrongUse uses[] = {
    {"NotThere", "  a: {use: ./n.yaml}\n", plain,
     "/p.yaml:5:12: step 'a': there is no file '/n.yaml'; did you mean '/m.yaml'?\n"},
    {"NotReadable", "  a: {use: m.yaml}\n", "a: }\n",
     "/m.yaml:1:4: syntax error: a bracket closes that was not opened; a text that holds one needs quotes\n"},
    {"UnknownInput", "  a: {use: m.yaml, in: {text: story, txt: story}}\n", plain,
     "/p.yaml:5:38: step 'a': module '/m.yaml' has no input 'txt'; it has text; did you mean 'text'?\n"},
    {"MissingInput", "  a: {use: m.yaml}\n", plain, "/p.yaml:5:3: step 'a': port 'text' is missing; expects text\n"},
    {"ListForAnInput", "  a: {use: m.yaml, in: {text: [story]}}\n", plain,
     "/p.yaml:5:25: step 'a', port 'text': expects one name, is a list\n"},
    {"WrongType", "  c: {use: count, in: {text: story}}\n  a: {use: m.yaml, in: {text: c}}\n", plain,
     "/p.yaml:6:31: step 'a', port 'text': expects text, 'c' is tally\n"},
    {"UnknownSource", "  a: {use: m.yaml, in: {text: stori}}\n", plain,
     "/p.yaml:5:31: step 'a', port 'text': no input or step is named 'stori'; expected one of story, a; did you mean "
     "'story'?\n"},
    {"UnknownParam", "  a: {use: m.yaml, in: {text: story}, with: {time: 1}}\n", plain,
     "/p.yaml:5:46: step 'a': module '/m.yaml' has no param 'time'; it has times, share; did you mean 'times'?\n"},
    {"ParamOfAnotherType", "  a: {use: m.yaml, in: {text: story}, with: {times: \"x${n}\"}}\n", plain,
     "/p.yaml:5:53: step 'a', param 'times': expects an integer, is \"x2\"\n"},
    {"ParamOutOfRangeWithin", "  a: {use: m.yaml, in: {text: story}, with: {times: 0}}\n", plain,
     "/p.yaml:5:53: step 'a.loud', param 'times': expects an integer from 1 to 100, is 0\n"},
    {"UnknownOutput", "  a: {use: m.yaml, in: {text: story}}\n  b: {use: count, in: {text: a.lout}}\n", plain,
     "/p.yaml:6:30: step 'b', port 'text': step 'a' has no output 'lout'; it has loud; did you mean 'loud'?\n"},
    {"MistakeToldOnce", "  a: {use: m.yaml, in: {text: story}}\n  b: {use: m.yaml, in: {text: story}}\n",
     "atelier: 1\ninputs: {text: {type: text}}\nsteps: {l: {use: shout, in: {text: txt}, with: {times: 0}}}\n",
     "/m.yaml:3:36: step 'l', port 'text': no input or step is named 'txt'; expected one of text, l; did you mean "
     "'text'?\n"
     "/m.yaml:3:56: step 'l', param 'times': expects an integer from 1 to 100, is 0\n"},
    {"UnknownTypeWithin", "  a: {use: m.yaml, in: {x: story}}\n", "atelier: 1\ninputs: {x: {type: txt}}\nsteps: {}\n",
     "/m.yaml:2:20: input 'x': no type is named 'txt'; expected one of blend, tally, text, texts; did you mean "
     "'text'?\n"},
    {"Itself", "  a: {use: m.yaml}\n", "atelier: 1\nsteps: {b: {use: ./m.yaml}}\n",
     "/m.yaml:2:18: step 'b': a module cannot use itself: /m.yaml -> /m.yaml\n"},
    {"ItselfThroughThePipeline", "  a: {use: m.yaml}\n", "atelier: 1\nsteps: {b: {use: p.yaml}}\n",
     "/m.yaml:2:18: step 'b': a module cannot use itself: /p.yaml -> /m.yaml -> /p.yaml\n"},
    {"CycleThroughModules", "  a: {use: m.yaml, in: {text: b}}\n  b: {use: shout, in: {text: a}}\n", plain,
     "/p.yaml:5:3: cycle: a.loud -> b -> a.loud\n"},
    {"CycleOfModulesThatHandOn", "  a: {use: m.yaml, in: {x: b}}\n  b: {use: m.yaml, in: {x: a}}\n",
     "atelier: 1\ninputs: {x: {type: text}}\nsteps: {}\noutputs: {y: {from: x}}\n",
     "/p.yaml:5:28: cycle: a -> b -> a\n"},
    {"OutputOfAModuleFromAnInput",
     "  a: {use: m.yaml, in: {x: story}}\noutputs: {o: {from: a, path: \"${customer}\"}}\n",
     "atelier: 1\ninputs: {x: {type: text}}\nsteps: {}\noutputs: {y: {from: x}}\n",
     "/p.yaml:6:21: output 'o': 'a' is an input; expected a step\n"},
};
INSTANTIATE_TEST_SUITE_P(Uses, WrongModule, testing::ValuesIn(uses), [](const auto& one) { return one.param.name; });

TEST(WrongModules, ThatMultiplyBeyondAllMeasureAreRefused) {
  PipelineCase world("atelier: 1\nsteps: {a: {use: m0.yaml}}\n");
  for (int level = 0; level < 6; ++level) {
    std::string text = "atelier: 1\nsteps:\n";
    for (int i = 0; i < 10; ++i)
      text += "  s" + std::to_string(i) + ": {use: m" + std::to_string(level + 1) + ".yaml}\n";
    world.files.put("/m" + std::to_string(level) + ".yaml", text);
  }
  world.files.put("/m6.yaml", "atelier: 1\nsteps: {x: {use: fail_on}}\n");
  EXPECT_NE(world.mistakes().find("with its modules the pipeline has too many steps; expected at most 10000"),
            std::string::npos);
}

// Order.

TEST(OrderSteps, KeepsTheGivenOrderWhereItMay) {
  EXPECT_EQ(order_steps({{}, {}, {0}}).order, (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(order_steps({{2}, {}, {1, 1}}).order, (std::vector<std::size_t>{1, 2, 0}));
}

TEST(OrderSteps, FindsEveryCycleOnceFromFeederToFed) {
  const StepOrder found = order_steps({{2}, {0}, {1}, {2}, {4}, {3, 4}});
  EXPECT_EQ(found.cycles, (std::vector<std::vector<std::size_t>>{{0, 1, 2}, {4}}));
  EXPECT_TRUE(found.order.empty());
}

TEST(PipelineFileRead, AModulesRetriesAndTimeoutAreThoseOfItsStepsThatSayNothing) {
  PipelineCase world(R"(atelier: 1
inputs: {story: {type: text}}
steps:
  plain: {use: shout, in: {text: story}}
  both: {use: ./m.yaml, in: {story: story}, retries: 5, timeout: 2h}
)",
                     {{"/m.yaml", R"(atelier: 1
inputs: {story: {type: text}}
steps:
  a: {use: shout, in: {text: story}, retries: 0, timeout: 90s}
  b: {use: shout, in: {text: a}}
outputs: {b: {from: b}}
)"}});
  const Pipeline pipeline = right(world);
  EXPECT_EQ(step_named(pipeline, "plain").retries, std::nullopt);
  EXPECT_EQ(step_named(pipeline, "plain").timeout, std::nullopt);
  EXPECT_EQ(step_named(pipeline, "both.a").retries, 0);
  EXPECT_EQ(step_named(pipeline, "both.a").timeout, std::chrono::seconds(90));
  EXPECT_EQ(step_named(pipeline, "both.b").retries, 5);
  EXPECT_EQ(step_named(pipeline, "both.b").timeout, std::chrono::hours(2));
}

}  // namespace
}  // namespace atelier
