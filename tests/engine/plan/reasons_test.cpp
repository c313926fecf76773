#include "plan/reasons.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

ParamSpec param(std::string name, Value value) {
  ParamSpec spec;
  spec.name = std::move(name);
  spec.type = value.type();
  spec.element = ValueType::text;
  spec.value = std::move(value);
  return spec;
}

NodeSpec train_spec() {
  NodeSpec spec;
  spec.name = "train";
  spec.version = 2;
  spec.inputs = {{"base", "model", "", false, true}, {"datasets", "dataset", "", true, true}};
  spec.params = {param("steps", 60), param("rate", 1e-4), param("words", Value::List{"sks", "portrait"})};
  return spec;
}

const ArrivedInputs kArrived = {{"base", "b0"}, {"datasets[0]", "d0"}, {"datasets[1]", "d1"}};

StepMemory memory(const Params& params, ArrivedInputs inputs = kArrived) {
  return {{}, 2, remembered_params(train_spec(), params), std::move(inputs)};
}

std::string told(std::map<std::string, Value> then, std::map<std::string, Value> now) {
  const NodeSpec spec = train_spec();
  return difference(spec, Params(spec, std::move(now)), kArrived, memory(Params(spec, std::move(then))));
}

std::string told_inputs(ArrivedInputs then, const ArrivedInputs& now) {
  const NodeSpec spec = train_spec();
  const Params params(spec, {});
  return difference(spec, params, now, memory(params, std::move(then)));
}

TEST(Reasons, AreEmptyWhereNothingDiffers) { EXPECT_EQ(told({}, {}), ""); }

TEST(Reasons, NameEveryParamThatChanged) {
  EXPECT_EQ(told({{"steps", 60}}, {{"steps", 80}, {"rate", 0.001}}),
            "params changed: rate 0.0001 -> 0.001, steps 60 -> 80");
}

TEST(Reasons, ShortenLongValues) {
  EXPECT_EQ(told({}, {{"words", Value::List{"a photograph of a person", "im Gegenlicht, draußen"}}}),
            "params changed: words [\"sks\", \"portrait\"] -> [\"a photograph of a person\", \"im Gegenl…");
}

TEST(Reasons, TellParamsThatTheNodeDidNotHave) {
  const NodeSpec spec = train_spec();
  const Params params(spec, {});
  StepMemory old = memory(params);
  old.params.erase("steps");
  old.params["gone"] = true;
  EXPECT_EQ(difference(spec, params, kArrived, old), "params changed: steps none -> 60, gone true -> none");
}

TEST(Reasons, TellThePortsWhoseInputsChanged) {
  EXPECT_EQ(told_inputs({{"base", "b1"}, {"datasets[0]", "d1"}, {"datasets[1]", "d0"}}, kArrived),
            "input changed: base, datasets");
  EXPECT_EQ(told_inputs({{"base", "b0"}, {"datasets[0]", "d0"}}, kArrived), "input changed: datasets");
  EXPECT_EQ(told_inputs(kArrived, {{"base", "b0"}, {"datasets[0]", "d0"}}), "input changed: datasets");
}

TEST(Reasons, SayNothingOfWhatIsNotKnownYet) {
  EXPECT_EQ(told_inputs(kArrived, {{"base", ""}, {"datasets[0]", "d0"}, {"datasets[1]", ""}}), "");
}

TEST(Reasons, NameAFewFilesAndCountTheRest) {
  ArrivedInputs then = {{"base", "1"}, {"base/a", "1"}, {"base/b", "1"}, {"base/old", "1"}};
  ArrivedInputs now = {{"base", "2"}, {"base/a", "2"}, {"base/b", "1"}};
  EXPECT_EQ(told_inputs(then, now), "input changed: base (a, -old)");
  now["base/c"] = now["base/d"] = "3";
  EXPECT_EQ(told_inputs(then, now), "input changed: base (a, +c, +d and 1 more)");
}

TEST(Reasons, TellWhereATrainingStands) {
  const NodeSpec spec = train_spec();
  const Params params(spec, {});
  EXPECT_EQ(partial_reuse({{"step", 40}}, params), "reused: partly, training at step 40 of 60");
  EXPECT_EQ(partial_reuse({{"step", 40}, {"steps", 1200}}, params), "reused: partly, training at step 40 of 1200");
  EXPECT_EQ(partial_reuse({{"step", 40}}, Params()), "reused: partly, training at step 40");
  EXPECT_EQ(partial_reuse({}, params), "reused: partly, from a checkpoint");
}

}  // namespace
}  // namespace atelier
