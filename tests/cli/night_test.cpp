// The whole night, by the real program: what examples/tiny has to hold.
#include <gtest/gtest.h>
#include <algorithm>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include "tiny_night.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

TEST(EndToEndNight, ASecondRunExecutesNoTaskAndSaysSo) {
  const TinyNight night;
  const auto first = night.run();
  ASSERT_EQ(first.exit_code, 0) << first.out << first.err;
  const auto written = outputs_of(night.out());
  EXPECT_TRUE(written.contains("style.safetensors"));

  const auto second = night.run();
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_TRUE(tasks_of(night.events_of_last_run(), "task_started").empty());
  EXPECT_NE(second.out.find("nothing to do: "), std::string::npos) << second.out;
  EXPECT_EQ(outputs_of(night.out()), written);
}

TEST(EndToEndNight, ATrainingCutOffGoesOnAtItsLastCheckpoint) {
  TinyNight night;
  const std::vector<std::string> longer{"--set", "steps=16", "--set", "checkpoint_every=3"};
  ASSERT_EQ(night.run(longer, "calm", "calm-cache").exit_code, 0);

  Process process(night.arguments("run", longer));
  const auto trained_enough = [&] {
    const auto events = fs::exists(night.out() / "runs") ? night.events() : std::vector<nlohmann::json>{};
    return std::ranges::any_of(events, [](const auto& event) {
      return event["event"] == "task_metric" && event["step"].template get<int>() >= 7;
    });
  };
  while (process.running() && !trained_enough()) std::this_thread::sleep_for(milliseconds(20));
  ASSERT_TRUE(process.running());
  process.signal(SIGKILL);
  process.wait();

  const auto last = night.run(longer);
  ASSERT_EQ(last.exit_code, 0) << last.out << last.err;
  std::vector<std::string> reasons;
  for (const auto& event : night.events_of_last_run())
    if (event["event"] == "task_started") reasons.push_back(event["reason"]);
  EXPECT_TRUE(std::ranges::any_of(
      reasons, [](const std::string& r) { return r.starts_with("reused: partly, training at step "); }));
  EXPECT_EQ(outputs_of(night.out()), outputs_of(night.out("calm")));
}

TEST(EndToEndNight, ASignalStopsWithACheckpointAndTheExitCodeSaysWhich) {
  for (const int number : {SIGINT, SIGTERM}) {
    const TinyNight night;
    const std::vector<std::string> longer{"--set", "steps=400"};
    Process process(night.arguments("run", longer));
    const auto training = [&] {
      return fs::exists(night.out() / "runs") && !tasks_of(night.events(), "task_metric").empty();
    };
    while (process.running() && !training()) std::this_thread::sleep_for(milliseconds(20));
    process.signal(number);
    const auto finished = process.wait();
    EXPECT_EQ(finished.exit_code, 128 + number) << finished.out << finished.err;
    const auto plan = atelier(night.arguments("plan", longer));
    EXPECT_NE(plan.out.find("reused: partly, training at step "), std::string::npos) << plan.out;
  }
}

TEST(EndToEndNight, TwoDevicesAndAnotherOrderOfCustomersGiveTheSameBits) {
  TinyNight night;
  ASSERT_EQ(night.run({"--devices", "cpu:0"}, "one", "cache-one").exit_code, 0);
  ASSERT_EQ(night.run({"--devices", "cpu:0,cpu:1"}, "two", "cache-two").exit_code, 0);
  std::vector<std::string> ids;
  for (const auto& entry : fs::directory_iterator(night.folder() / "customers")) ids.push_back(entry.path().filename());
  std::ranges::sort(ids, std::greater<>());
  std::string list = "[";
  for (const auto& id : ids)
    list += (list.size() > 1 ? ", " : "") + std::string("{id: ") + id + ", target: customers/" + id + "}";
  night.write_batch(list + "]", kTinyParams);
  const auto turned = night.run({}, "turned", "cache-turned");
  ASSERT_EQ(turned.exit_code, 0) << turned.out << turned.err;
  EXPECT_EQ(outputs_of(night.out("one")), outputs_of(night.out("two")));
  EXPECT_EQ(outputs_of(night.out("one")), outputs_of(night.out("turned")));

  // The event log of the run on two devices shows trainings side by side.
  std::set<std::string> devices;
  for (const auto& event : night.events_of_last_run("two"))
    if (event["event"] == "task_started" && event["node"] == "train")
      devices.insert(event["device"].get<std::string>());
  EXPECT_EQ(devices, (std::set<std::string>{"cpu:0", "cpu:1"}));
}

TEST(EndToEndNight, OneUnreadableCustomerAndOneTakenPathFailAndTheThirdSucceeds) {
  TinyNight night;
  const auto good = fs::directory_iterator(night.folder() / "customers")->path();
  fs::create_directories(night.photos("broken"));
  std::ofstream(night.photos("broken") / "photo.jpg") << "this is no picture";
  fs::copy(good, night.photos("taken"));
  fs::create_directories(night.out());
  std::ofstream(night.out() / "taken") << "a file where the folder should go";

  const auto finished = night.run();
  EXPECT_EQ(finished.exit_code, 1);
  std::map<std::string, nlohmann::json> customers;
  for (const auto& event : night.events_of_last_run())
    if (event["event"] == "customer_finished") customers[event["customer"]] = event;
  ASSERT_TRUE(customers.contains(good.filename()));
  EXPECT_EQ(customers[good.filename()]["result"], "succeeded");
  EXPECT_EQ(customers["broken"]["result"], "failed");
  EXPECT_EQ(customers["taken"]["result"], "failed");
  EXPECT_NE(finished.out.find("photo.jpg"), std::string::npos) << finished.out;
  EXPECT_TRUE(fs::exists(night.out() / good.filename() / "model/model_index.json"));
  EXPECT_EQ(read_file(night.out() / "taken"), "a file where the folder should go");
}

TEST(EndToEndNight, AChangedWeightRunsFuseAndSampleOnlyAndThePlanSaysSoBeforehand) {
  const TinyNight night;
  ASSERT_EQ(night.run().exit_code, 0);
  const std::vector<std::string> change{"--set", "person_weight=0.5"};
  const auto plan = atelier(night.arguments("plan", change));
  EXPECT_NE(plan.out.find("params changed: weights [0.6, 0.9] -> [0.6, 0.5]"), std::string::npos) << plan.out;

  ASSERT_EQ(night.run(change).exit_code, 0);
  std::set<std::string> nodes;
  for (const auto& event : night.events_of_last_run())
    if (event["event"] == "task_started" && !event["node"].get<std::string>().empty())
      nodes.insert(event["node"].get<std::string>());
  EXPECT_EQ(nodes, (std::set<std::string>{"fuse", "sample"}));
}

TEST(EndToEndNight, AChangedPhotoRunsItsCustomersChainOnlyAndATouchedOneNothing) {
  const TinyNight night;
  ASSERT_EQ(night.run().exit_code, 0);
  const auto customer = fs::directory_iterator(night.folder() / "customers")->path();
  std::vector<fs::path> photos;
  for (const auto& entry : fs::directory_iterator(customer))
    if (entry.path().extension() == ".jpg") photos.push_back(entry.path());
  std::ranges::sort(photos);

  fs::last_write_time(photos[0], fs::file_time_type::clock::now());
  ASSERT_EQ(night.run().exit_code, 0);
  EXPECT_TRUE(tasks_of(night.events_of_last_run(), "task_started").empty());

  fs::copy_file(photos[1], photos[0], fs::copy_options::overwrite_existing);
  const auto plan = atelier(night.arguments("plan"));
  EXPECT_NE(plan.out.find("input changed: photos"), std::string::npos) << plan.out;
  EXPECT_NE(plan.out.find("\nexpected: "), std::string::npos) << plan.out;
  const auto name = [&](const std::string& step) { return step + "/" + customer.filename().string(); };
  const auto why = atelier(night.arguments("plan", {"--explain", name("person")}));
  EXPECT_NE(why.out.find(photos[0].filename().string() + " has changed\n"), std::string::npos) << why.out;
  const auto wrong = atelier(night.arguments("plan", {"--explain", name("persn")}));
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(wrong.err,
            "atelier plan: the plan has no task '" + name("persn") + "'; did you mean '" + name("person") + "'?\n");
  ASSERT_EQ(night.run().exit_code, 0);
  const auto started = tasks_of(night.events_of_last_run(), "task_started");
  EXPECT_FALSE(started.empty());
  for (const auto& task : started) EXPECT_NE(task.find(customer.filename()), std::string::npos) << task;
}

TEST(EndToEndNight, TwoRunsOnOneCacheComputeEachKeyOnce) {
  const TinyNight night;
  Process one(night.arguments("run", {}, "one", "shared")), two(night.arguments("run", {}, "two", "shared"));
  const auto first = one.wait(), second = two.wait();
  EXPECT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_EQ(second.exit_code, 0) << second.out << second.err;
  auto events = night.events("one");
  for (auto& event : night.events("two")) events.push_back(event);
  EXPECT_EQ(finished_twice(events), std::vector<std::string>{});
  EXPECT_EQ(outputs_of(night.out("one")), outputs_of(night.out("two")));
}

TEST(LongNight, TheDemoNightKilledThreeTimesLeavesTheBitsOfAnUndisturbedRun) {
  const TinyNight night("night");
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(night.run({}, "calm", "calm-cache").exit_code, 0);
  const auto calm = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  std::mt19937 random(3);  // NOLINT
  std::uniform_int_distribution<long> moment(calm.count() / 10, calm.count() / 4);
  for (int i = 0; i < 3; ++i) {
    Process process(night.arguments("run"));
    std::this_thread::sleep_for(milliseconds(moment(random)));
    ASSERT_TRUE(process.running());
    process.signal(SIGKILL);
    process.wait();
  }
  ASSERT_EQ(night.run().exit_code, 0);
  EXPECT_EQ(outputs_of(night.out()), outputs_of(night.out("calm")));
  EXPECT_EQ(finished_twice(night.events()), std::vector<std::string>{});
}

}  // namespace
}  // namespace atelier::test
