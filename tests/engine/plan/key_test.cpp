#include "plan/key.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"

namespace atelier {
namespace {

NodeSpec fuse_spec() {
  NodeSpec spec;
  spec.name = "fuse";
  spec.version = 3;
  spec.inputs = {
      {"base", "model", "", false, true}, {"loras", "lora", "", true, true}, {"mask", "masks", "", false, false}};
  spec.outputs = {{"model", "model", "", false, true}};
  ParamSpec weights;
  weights.name = "weights";
  weights.type = ValueType::list;
  weights.element = ValueType::number;
  weights.value = Value::List{0.5, 0.5};
  ParamSpec strict;
  strict.name = "strict";
  strict.type = ValueType::boolean;
  strict.value = true;
  ParamSpec threads;
  threads.name = "threads";
  threads.type = ValueType::integer;
  threads.value = 1;
  threads.role = ParamRole::execution;
  spec.params = {weights, strict, threads};
  return spec;
}

Digest digest(std::string_view text) { return sha256(text); }

std::vector<PortContent> arrived() {
  return {{"base", {{digest("base"), {}}}}, {"loras", {{digest("look"), {}}, {digest("identity"), {}}}}};
}

Digest key(const NodeSpec& spec, std::map<std::string, Value> given = {},
           const std::vector<PortContent>& ports = arrived()) {
  return task_key(spec, Params(spec, std::move(given)), ports);
}

// A change of this key means that every cache of every user is worthless: raise kCacheFormat, and say so.
TEST(Key, StaysWhatItWas) {
  EXPECT_EQ(key(fuse_spec()).hex(), "ff7193e4bf11aba0fdf5895d274a728c1b47f50ec7d1653f9b556b22e93158b6");
  EXPECT_EQ(key(fuse_spec(), {{"weights", Value::List{1, 0.25}}}).hex(),
            "21686e90a1bcdbc527d7ec1bb2c69661ca825a3aa196badafb587f78bf0745a3");
}

TEST(Key, OfADefaultIsThatOfTheDefaultGiven) {
  EXPECT_EQ(key(fuse_spec(), {{"weights", Value::List{0.5, 0.5}}, {"strict", true}}), key(fuse_spec()));
}

TEST(Key, TakesAnIntegerForTheNumberItIs) {
  EXPECT_EQ(key(fuse_spec(), {{"weights", Value::List{1, 0}}}), key(fuse_spec(), {{"weights", Value::List{1.0, 0.0}}}));
}

TEST(Key, DoesNotDependOnExecutionParams) { EXPECT_EQ(key(fuse_spec(), {{"threads", 8}}), key(fuse_spec())); }

TEST(Key, DoesNotDependOnTheOrderInWhichPortsAreTold) {
  auto ports = arrived();
  std::swap(ports[0], ports[1]);
  EXPECT_EQ(key(fuse_spec(), {}, ports), key(fuse_spec()));
}

// Each of these differs from the plain key and from every other.
TEST(Key, DependsOnEverythingThatTheResultDependsOn) {
  const NodeSpec spec = fuse_spec();
  std::vector<Digest> keys{key(spec)};

  NodeSpec other = spec;
  other.version = 4;
  keys.push_back(key(other));
  other = spec;
  other.name = "merge";
  keys.push_back(key(other));
  other = spec;
  other.inputs.push_back({"clip", "model", "", false, false});
  keys.push_back(key(other));

  keys.push_back(key(spec, {{"weights", Value::List{0.5, 0.25}}}));
  keys.push_back(key(spec, {{"weights", Value::List{0.25, 0.5}}}));
  keys.push_back(key(spec, {{"weights", Value::List{0.5}}}));
  keys.push_back(key(spec, {{"weights", Value::List{}}}));
  keys.push_back(key(spec, {{"strict", false}}));

  auto ports = arrived();
  std::swap(ports[1].items[0], ports[1].items[1]);  // the order of a list counts
  keys.push_back(key(spec, {}, ports));
  ports = arrived();
  ports[0].items[0].digest = digest("another base");
  keys.push_back(key(spec, {}, ports));
  ports = arrived();
  ports[1].items.pop_back();
  keys.push_back(key(spec, {}, ports));
  ports = arrived();
  ports.push_back({"mask", {{digest("mask"), {}}}});  // absent before
  keys.push_back(key(spec, {}, ports));
  ports[0].name = "mask", ports[2].name = "base";  // the same digests at each other's ports
  keys.push_back(key(spec, {}, ports));
  ports = arrived();
  ports[0].items[0].recipe_port = "model";  // known only by what makes it
  keys.push_back(task_digest(spec, node_digest(spec, Params(spec, {})), ports));
  ports[0].items[0].recipe_port = "other";
  keys.push_back(task_digest(spec, node_digest(spec, Params(spec, {})), ports));

  EXPECT_EQ(std::set<Digest>(keys.begin(), keys.end()).size(), keys.size());
}

TEST(Key, TellsAPortThatTakesOneFromAListOfOne) {
  NodeSpec one = fuse_spec(), many = fuse_spec();
  many.inputs[0].many = true;
  EXPECT_NE(key(one), key(many));
}

TEST(Key, IsNotGivenBeforeTheInputsAreKnown) {
  auto ports = arrived();
  ports[0].items[0].recipe_port = "model";
  EXPECT_THROW(key(fuse_spec(), {}, ports), Fault);
}

}  // namespace
}  // namespace atelier
