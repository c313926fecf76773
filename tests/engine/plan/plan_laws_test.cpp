// Laws of planning, over random pipelines, batches and accidents.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <algorithm>
#include <functional>
#include <random>
#include <set>

#include "plan_world.h"

namespace atelier {
namespace {

using testing::IsEmpty;

constexpr unsigned kSeeds = 300;

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[below(all.size())];
  }
  std::mt19937& engine() { return engine_; }

 private:
  std::mt19937 engine_;
};

// A step that reads one or two of `texts`, and what it adds to them.
void add_step(PipelineBuilder& pipeline, Dice& dice, std::size_t n, std::vector<std::string>& texts,
              std::vector<std::string>& blends) {
  const std::string name = fmt::format("s{}", n), param = fmt::format("${{p{}}}", dice.below(3));
  const std::string one = dice.of(texts), two = dice.of(texts);
  switch (dice.below(blends.empty() ? 5 : 6)) {
    case 0:
      pipeline.step(name, "shout", {{"text", {one}}}, {{"times", param}, {"mark", "${customer}"}});
      break;
    case 1:
      pipeline.step(name, "join", {{"parts", {one, two}}});
      break;
    case 2:
      pipeline.step(name, "learn", {{"texts", {one}}}, {{"steps", param}});
      break;
    case 3:
      pipeline.step(name, "split", {{"text", {one}}}, {{"at", param}});
      texts.push_back(name + ".tail");
      texts.push_back(name + ".head");
      return;
    case 4:
      pipeline.step(name, "blend", {{"base", {one}}, {"parts", {two}}}, {{"weights", Value::List{0.5}}});
      blends.push_back(name);
      return;
    default:
      pipeline.step(name, "render", {{"mix", {dice.of(blends)}}});
  }
  texts.push_back(name);
}

void make_random_batch(PlanWorld& world, Dice& dice) {
  PipelineBuilder pipeline(world.registry, "random");
  for (int i = 0; i < 3; ++i) pipeline.param(fmt::format("p{}", i), 1 + i);
  pipeline.input("photos", "texts").input("style", "texts", Scope::batch);
  pipeline.step("load", "read", {{"files", {"photos"}}}).step("style_load", "read", {{"files", {"style"}}});
  std::vector<std::string> texts{"load", "style_load"}, blends;
  const std::size_t steps = 2 + dice.below(8);
  for (std::size_t n = 0; n < steps; ++n) add_step(pipeline, dice, n, texts, blends);
  for (std::size_t i = 0; i < 2; ++i)
    pipeline.output(fmt::format("o{}", i), dice.of(texts), fmt::format("${{customer}}/{}", i));
  world.batch.pipeline = pipeline.build();
  // An output of what the batch shares has no customer in its path.
  for (auto& output : world.batch.pipeline.outputs)
    if (output.scope == Scope::batch) output.path = {{{"shared/" + output.name, false}}, false};
  world.batch.customers.clear();
  const std::size_t customers = 1 + dice.below(4);
  for (std::size_t i = 0; i < customers; ++i) {
    world.add_customer(fmt::format("c{}", i), {{"a.txt", dice.one_in(2) ? "twin" : fmt::format("{}", i)}});
    if (dice.one_in(3)) world.batch.customers.back().params[fmt::format("p{}", dice.below(3))] = 7;
  }
}

std::set<Digest> recipes_of(const Plan& plan) {
  std::set<Digest> all;
  for (const auto& task : plan.tasks) all.insert(task.recipe);
  return all;
}

struct RandomNight {
  explicit RandomNight(unsigned seed) : dice(seed) { make_random_batch(world, dice); }
  Dice dice;
  PlanWorld world;
};

void for_random_nights(const std::function<void(PlanWorld&, Dice&)>& law) {
  for (unsigned seed = 0; seed < kSeeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomNight night(seed);
    law(night.world, night.dice);
  }
}

TEST(PlanLaws, AFinishedNightIsReusedWhole) {
  for_random_nights([](PlanWorld& world, Dice&) {
    const Plan plan = world.plan();
    EXPECT_EQ(world.execute(plan).size(), world.plan().tasks.size());
    EXPECT_THAT(world.lines_not(Action::reuse, world.plan()), IsEmpty());
    EXPECT_THAT(world.run(), IsEmpty());
  });
}

TEST(PlanLaws, TasksStandAfterWhatFeedsThemAndNoRecipeTwice) {
  for_random_nights([](PlanWorld& world, Dice&) {
    const Plan plan = world.plan();
    for (const auto& task : plan.tasks) {
      for (const TaskId id : task.dependencies) {
        EXPECT_LT(id, task.id);
        EXPECT_EQ(std::ranges::count(plan.task(id).dependents, task.id), 1);
      }
      EXPECT_TRUE(task.for_batch || !task.customers.empty());
      EXPECT_TRUE(std::ranges::is_sorted(task.customers));
    }
    EXPECT_EQ(recipes_of(plan).size(), plan.tasks.size());
  });
}

TEST(PlanLaws, TheOrderOfCustomersChangesNothing) {
  for_random_nights([](PlanWorld& world, Dice& dice) {
    const auto before = recipes_of(world.plan());
    std::ranges::shuffle(world.batch.customers, dice.engine());
    EXPECT_EQ(recipes_of(world.plan()), before);
  });
}

TEST(PlanLaws, ANightCutOffGoesOnWhereItWas) {
  for_random_nights([](PlanWorld& world, Dice& dice) {
    const Plan plan = world.plan();
    world.cut_off_at = display_name(plan, world.batch, plan.tasks[dice.below(plan.tasks.size())].id);
    const auto first = world.execute(plan);
    world.cut_off_at.clear();
    const auto second = world.run();
    for (const auto& name : second) EXPECT_EQ(std::ranges::count(first, name), 0) << name << " ran twice";
    EXPECT_EQ(first.size() + second.size(), world.plan().tasks.size());
    EXPECT_THAT(world.lines_not(Action::reuse, world.plan()), IsEmpty());
  });
}

TEST(PlanLaws, ACustomersPhotoConcernsNobodyElse) {
  for_random_nights([](PlanWorld& world, Dice&) {
    world.run();
    world.put_photo("c0", "a.txt", "another face");
    for (const auto& name : world.run()) {
      const bool is_theirs = name.ends_with("/c0") || name.find("/c0+") != std::string::npos;
      const bool is_content = name == "style_load" || name.starts_with("load/");
      EXPECT_TRUE(is_theirs || is_content) << name;
    }
  });
}

// execute() checks that every task that runs finds its inputs' content.
TEST(PlanLaws, ContentThatWasLostIsMadeAgainWhereItIsRead) {
  for_random_nights([](PlanWorld& world, Dice& dice) {
    world.run();
    for (const auto& task : world.plan().tasks)
      if (task.key && dice.one_in(2)) world.store.drop(*task.key);
    EXPECT_THAT(world.lines_not(Action::reuse, world.plan()), IsEmpty());
    world.set(fmt::format("p{}", dice.below(3)), 9);
    world.run();
    EXPECT_THAT(world.lines_not(Action::reuse, world.plan()), IsEmpty());
  });
}

TEST(PlanLaws, WhatIsPlannedToBeReusedIsReused) {
  for_random_nights([](PlanWorld& world, Dice& dice) {
    world.run();
    world.set(fmt::format("p{}", dice.below(3)), 9);
    const Plan plan = world.plan();
    std::set<std::string> planned;
    for (const auto& task : plan.tasks)
      if (task.action != Action::reuse) planned.insert(display_name(plan, world.batch, task.id));
    for (const auto& name : world.execute(plan)) EXPECT_TRUE(planned.contains(name)) << name;
  });
}

}  // namespace
}  // namespace atelier
