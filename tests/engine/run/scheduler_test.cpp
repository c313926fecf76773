#include "run/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>

namespace atelier {
namespace {

using Instant = Scheduler::Instant;
using std::chrono::milliseconds;

// Tasks with their own storage, in the order in which they were added.
struct Work {
  struct One {
    std::vector<std::uint32_t> customers;
    std::vector<TaskId> dependencies, dependents;
    Place place = Place::cpu;
    Needs needs;
  };
  std::deque<One> all;
  std::size_t customers = 0;

  TaskId add(std::vector<std::uint32_t> whose, Place place = Place::cpu, double seconds = 1,
             std::vector<TaskId> after = {}) {
    const auto id = static_cast<TaskId>(all.size());
    for (const auto customer : whose) customers = std::max<std::size_t>(customers, customer + 1);
    for (const TaskId dependency : after) all[index_of(dependency)].dependents.push_back(id);
    One one{
        .customers = std::move(whose), .dependencies = std::move(after), .dependents = {}, .place = place, .needs = {}};
    one.needs.seconds = seconds;
    all.push_back(std::move(one));
    return id;
  }
  std::vector<SchedulerTask> tasks() const {
    std::vector<SchedulerTask> out;
    for (const auto& one : all) out.push_back({one.customers, one.dependents, one.place, one.needs});
    return out;
  }
};

Capacity machine(int cores, std::size_t devices) {
  Capacity capacity;
  capacity.cores = cores;
  for (std::size_t i = 0; i < devices; ++i) capacity.devices.push_back({.id = "cpu:" + std::to_string(i)});
  return capacity;
}

std::vector<std::uint32_t> ids(const std::vector<Admission>& admitted) {
  std::vector<std::uint32_t> out;
  for (const auto& one : admitted) out.push_back(static_cast<std::uint32_t>(one.task));
  return out;
}

TEST(Scheduler, PutsTheLongestRemainingPathOfACustomerFirst) {
  Work work;
  const TaskId brief = work.add({0}, Place::cpu, 1);
  const TaskId leads_far = work.add({0}, Place::cpu, 1);
  work.add({0}, Place::cpu, 10, {leads_far});
  const TaskId middle = work.add({0}, Place::cpu, 5);
  Scheduler scheduler(machine(1, 1), 8, work.customers, work.tasks());
  EXPECT_EQ(scheduler.remaining_s(leads_far), 11);
  for (const TaskId id : {brief, leads_far, middle}) scheduler.ready(id);
  std::vector<std::uint32_t> order;
  for (int i = 0; i < 3; ++i) {
    const auto admitted = scheduler.admit({});
    ASSERT_EQ(admitted.size(), 1U);
    order.push_back(ids(admitted).front());
    scheduler.ended(admitted.front().task);
  }
  EXPECT_EQ(order, (std::vector<std::uint32_t>{1, 3, 0}));
}

TEST(Scheduler, LetsCustomersTakeTurnsOnADevice) {
  Work work;
  for (std::uint32_t customer = 0; customer < 3; ++customer)
    for (int i = 0; i < 2; ++i) work.add({customer}, Place::device);
  Scheduler scheduler(machine(1, 1), 8, work.customers, work.tasks());
  for (std::size_t i = 0; i < work.all.size(); ++i) scheduler.ready(static_cast<TaskId>(i));
  std::vector<std::uint32_t> order;
  while (!scheduler.finished()) {
    const auto admitted = scheduler.admit({});
    ASSERT_EQ(admitted.size(), 1U);
    order.push_back(ids(admitted).front());
    scheduler.ended(admitted.front().task);
  }
  EXPECT_EQ(order, (std::vector<std::uint32_t>{0, 2, 4, 1, 3, 5}));
}

TEST(Scheduler, PutsWhatSeveralCustomersShareFirst) {
  Work work;
  const TaskId own = work.add({0}, Place::device, 100);
  const TaskId shared = work.add({0, 1}, Place::device, 1);
  Scheduler scheduler(machine(1, 1), 8, work.customers, work.tasks());
  scheduler.ready(own);
  scheduler.ready(shared);
  EXPECT_EQ(scheduler.admit({}).front().task, shared);
}

TEST(Scheduler, OpensAtMostAWindowOfCustomersInTheOrderOfTheBatch) {
  Work work;
  for (std::uint32_t customer = 0; customer < 5; ++customer) work.add({customer});
  Scheduler scheduler(machine(8, 1), 2, work.customers, work.tasks());
  for (std::uint32_t i = 5; i-- > 0;) scheduler.ready(static_cast<TaskId>(i));
  EXPECT_EQ(scheduler.open_customers(), 2U);
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{0, 1}));
  EXPECT_TRUE(scheduler.admit({}).empty());
  scheduler.ended(static_cast<TaskId>(1));
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{2}));
}

TEST(Scheduler, HasAWindowOfFourCustomersADeviceAndAtLeastEight) {
  EXPECT_EQ(default_window(1), 8U);
  EXPECT_EQ(default_window(2), 8U);
  EXPECT_EQ(default_window(4), 16U);
}

TEST(Scheduler, RunsACustomersSharedTaskOnceTheFirstOfItsCustomersIsOpen) {
  Work work;
  const TaskId first = work.add({0});
  const TaskId late = work.add({1, 2});
  Scheduler scheduler(machine(8, 1), 1, work.customers, work.tasks());
  scheduler.ready(late);
  scheduler.ready(first);
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{0}));
  scheduler.ended(first);
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{1}));
}

TEST(Scheduler, GivesCpuTasksWhatTheDevicesLeaveButAlwaysOneCore) {
  Work work;
  for (int i = 0; i < 2; ++i) work.add({0}, Place::device);
  for (int i = 0; i < 4; ++i) work.add({0}, Place::cpu);
  Scheduler scheduler(machine(2, 2), 8, work.customers, work.tasks());
  for (std::size_t i = 0; i < work.all.size(); ++i) scheduler.ready(static_cast<TaskId>(i));
  const auto first = scheduler.admit({});
  EXPECT_EQ(ids(first), (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(first[0].device, 0U);
  EXPECT_EQ(first[1].device, 1U);
  EXPECT_FALSE(first[2].device);
  for (const auto& one : first) scheduler.ended(one.task);
  EXPECT_EQ(scheduler.admit({}).size(), 2U) << "with idle devices CPU tasks take every core";
}

TEST(Scheduler, HoldsBackCpuTasksWhileADeviceTaskLacksCores) {
  Work work;
  for (int i = 0; i < 4; ++i) work.add({0}, Place::cpu);
  const TaskId a = work.add({0}, Place::device), b = work.add({0}, Place::device);
  Scheduler scheduler(machine(2, 2), 8, work.customers, work.tasks());
  for (std::uint32_t i = 0; i < 4; ++i) scheduler.ready(static_cast<TaskId>(i));
  ASSERT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{0, 1}));
  scheduler.ready(a);
  scheduler.ready(b);
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{4}));
  scheduler.ended(static_cast<TaskId>(0));
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{5})) << "before the CPU tasks that wait longer";
}

TEST(Scheduler, LetsATaskThatLacksMemoryHoldBackWhatComesAfterIt) {
  Work work;
  const TaskId running = work.add({0}, Place::cpu, 9), large = work.add({0}, Place::cpu, 5),
               little = work.add({0}, Place::cpu, 1);
  work.all[0].needs.memory_bytes = 60;
  work.all[1].needs.memory_bytes = 50;
  work.all[2].needs.memory_bytes = 10;
  Capacity capacity = machine(8, 1);
  capacity.memory_bytes = 100;
  Scheduler scheduler(capacity, 8, work.customers, work.tasks());
  for (const TaskId id : {running, large, little}) scheduler.ready(id);
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{0}));
  scheduler.ended(running);
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{1, 2}));
}

TEST(Scheduler, RunsWhatNeedsMoreMemoryThanThereIsAloneRatherThanNever) {
  Work work;
  const TaskId huge = work.add({0});
  work.all[0].needs.memory_bytes = 1000;
  Capacity capacity = machine(8, 1);
  capacity.memory_bytes = 100;
  Scheduler scheduler(capacity, 8, work.customers, work.tasks());
  scheduler.ready(huge);
  EXPECT_EQ(scheduler.admit({}).size(), 1U);
}

TEST(Scheduler, TriesAgainNotBeforeTheTimeItIsGiven) {
  Work work;
  const TaskId task = work.add({0});
  Scheduler scheduler(machine(1, 1), 8, work.customers, work.tasks());
  scheduler.ready(task);
  ASSERT_EQ(scheduler.admit({}).size(), 1U);
  scheduler.again(task, Instant{} + milliseconds(1000));
  EXPECT_TRUE(scheduler.admit(Instant{} + milliseconds(999)).empty());
  EXPECT_EQ(scheduler.admit(Instant{} + milliseconds(1000)).size(), 1U);
}

TEST(Scheduler, RunsATaskAloneWhenAskedTo) {
  Work work;
  const TaskId task = work.add({0}, Place::device), other = work.add({0}), third = work.add({0});
  Scheduler scheduler(machine(8, 1), 8, work.customers, work.tasks());
  scheduler.ready(task);
  scheduler.ready(other);
  ASSERT_EQ(scheduler.admit({}).size(), 2U);
  scheduler.again(task, {}, true);
  scheduler.ready(third);
  EXPECT_TRUE(scheduler.admit({}).empty()) << "something runs";
  scheduler.ended(other);
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{0}));
  EXPECT_TRUE(scheduler.admit({}).empty()) << "it runs alone";
  scheduler.ended(task);
  EXPECT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{2}));
}

TEST(Scheduler, GivesBackWhatWasQueuedWhenItCloses) {
  Work work;
  for (std::uint32_t customer = 0; customer < 3; ++customer) work.add({customer});
  Scheduler scheduler(machine(1, 1), 2, work.customers, work.tasks());
  for (std::uint32_t i = 0; i < 3; ++i) scheduler.ready(static_cast<TaskId>(i));
  ASSERT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(scheduler.close(), (std::vector<TaskId>{TaskId{1}, TaskId{2}}));
  for (std::uint32_t i = 0; i < 3; ++i) scheduler.ended(static_cast<TaskId>(i));
  EXPECT_TRUE(scheduler.admit({}).empty());
  EXPECT_TRUE(scheduler.finished());
}

TEST(Scheduler, PrefersADeviceWithEnoughMemory) {
  Work work;
  const TaskId task = work.add({0}, Place::device);
  work.all[0].needs.device_memory_bytes = 20;
  Capacity capacity = machine(8, 2);
  capacity.devices[0].memory_bytes = 10;
  capacity.devices[1].memory_bytes = 30;
  Scheduler scheduler(capacity, 8, work.customers, work.tasks());
  scheduler.ready(task);
  EXPECT_EQ(scheduler.admit({}).front().device, 1U);
}

TEST(Scheduler, CountsWhatATaskHoldsOnALogicalCpuDeviceAsTheHosts) {
  for (const bool on_host : {true, false}) {
    Work work;
    const TaskId first = work.add({0}, Place::device), second = work.add({0}, Place::device);
    for (auto& one : work.all) one.needs.device_memory_bytes = 60;
    Capacity capacity = machine(8, 2);
    capacity.memory_bytes = 100;
    for (auto& device : capacity.devices) device.on_host = on_host;
    Scheduler scheduler(capacity, 8, work.customers, work.tasks());
    scheduler.ready(first);
    scheduler.ready(second);
    EXPECT_EQ(scheduler.admit({}).size(), on_host ? 1U : 2U);
    scheduler.ended(first);
    EXPECT_EQ(scheduler.admit({}).size(), on_host ? 1U : 0U);
  }
}

// Two devices of 100 bytes with three slots each.
Capacity cards() {
  Capacity capacity = machine(16, 6);
  for (std::size_t i = 0; i < 6; ++i) {
    auto& slot = capacity.devices[i];
    slot.id = i < 3 ? "cuda:0" : "cuda:1";
    slot.on_host = false;
    slot.memory_bytes = 100;
  }
  return capacity;
}

// The devices, in order, on which tasks of these sizes start together.
std::string started_on(const std::vector<std::uint64_t>& sizes, const Capacity& capacity) {
  Work work;
  for (const auto bytes : sizes) {
    const TaskId task = work.add({0}, Place::device);
    work.all[index_of(task)].needs.device_memory_bytes = bytes;
  }
  Scheduler scheduler(capacity, 8, work.customers, work.tasks());
  for (std::size_t i = 0; i < sizes.size(); ++i) scheduler.ready(static_cast<TaskId>(i));
  std::string devices;
  for (const auto& one : scheduler.admit({})) devices += capacity.devices[*one.device].id.back();
  return devices;
}

TEST(Scheduler, PutsSeveralTasksOnADeviceWhereTheirMemoryFits) {
  EXPECT_EQ(started_on({50, 50, 50, 50}, cards()), "0101") << "every idle device first";
  EXPECT_EQ(started_on({50, 50, 60, 10}, cards()), "01") << "what does not fit holds back what comes after it";
  EXPECT_EQ(started_on({10, 10, 10, 10, 10, 10, 10}, cards()), "010011") << "no more than there are slots";
  EXPECT_EQ(started_on({200, 10, 10, 10}, cards()), "0111") << "what needs more than there is has a device to itself";
}

TEST(Scheduler, LeavesADeviceToATaskOfUnknownSize) {
  EXPECT_EQ(started_on({0, 50, 50}, cards()), "011");
  EXPECT_EQ(started_on({50, 50, 0, 10}, cards()), "01");
  Capacity unknown = cards();
  for (auto& slot : unknown.devices) slot.memory_bytes = 0;
  EXPECT_EQ(started_on({10, 10, 10}, unknown), "01");
}

TEST(Scheduler, DrainsADeviceWithAllItsSlots) {
  Work work;
  for (int i = 0; i < 4; ++i) work.all[index_of(work.add({0}, Place::device))].needs.device_memory_bytes = 10;
  Capacity capacity = cards();
  capacity.devices[1].drained = true;
  Scheduler scheduler(capacity, 8, work.customers, work.tasks());
  for (std::uint32_t i = 0; i < 4; ++i) scheduler.ready(static_cast<TaskId>(i));
  EXPECT_EQ(scheduler.admit({}).size(), 3U);
  scheduler.drain(4);
  EXPECT_FALSE(scheduler.any_device());
  scheduler.ended(TaskId{0});
  EXPECT_TRUE(scheduler.admit({}).empty());
}

// A random plan, run to its end with random durations, retries and memory.
class RandomNight {
 public:
  explicit RandomNight(unsigned seed) : random_(seed) {
    const auto customers = static_cast<std::uint32_t>(pick(1, 12));
    const int shared = pick(0, 4);
    for (int i = 0; i < shared; ++i) {
      std::vector<std::uint32_t> whose;
      for (std::uint32_t customer = 0; customer < customers; ++customer)
        if (pick(0, 1)) whose.push_back(customer);
      add(whose);
    }
    for (std::uint32_t customer = 0; customer < customers; ++customer)
      for (int i = pick(0, 8); i > 0; --i) add({customer});
    work_.customers = customers;
    capacity_ = machine(pick(1, 6), static_cast<std::size_t>(pick(1, 3)));
    for (auto& device : capacity_.devices) device.threads = pick(1, 3);
    if (pick(0, 1)) capacity_.memory_bytes = 100;
    if (pick(0, 1)) share_devices();
  }

  // The admissions in their order; the laws are checked on the way.
  std::vector<Admission> run() {
    Scheduler scheduler(capacity_, static_cast<std::size_t>(pick(1, 6)), work_.customers, work_.tasks());
    std::vector<std::size_t> left;
    for (const auto& one : work_.all) left.push_back(one.dependencies.size());
    for (std::size_t i = 0; i < left.size(); ++i)
      if (left[i] == 0) scheduler.ready(static_cast<TaskId>(i));
    std::vector<Admission> history, running;
    Instant now{};
    for (int idle = 0; !scheduler.finished();) {
      const auto admitted = scheduler.admit(now);
      history.insert(history.end(), admitted.begin(), admitted.end());
      running.insert(running.end(), admitted.begin(), admitted.end());
      check(running);
      now += milliseconds(100);
      if (running.empty()) {
        if (++idle > 100) return ADD_FAILURE() << "ready tasks are never admitted", history;
        continue;
      }
      idle = 0;
      const auto which = running.begin() + pick(0, static_cast<int>(running.size()) - 1);
      const TaskId task = which->task;
      running.erase(which);
      if (pick(0, 9) == 0) {
        scheduler.again(task, now + milliseconds(pick(0, 500)), pick(0, 3) == 0);
        continue;
      }
      scheduler.ended(task);
      for (const TaskId dependent : work_.all[index_of(task)].dependents)
        if (--left[index_of(dependent)] == 0) scheduler.ready(dependent);
    }
    return history;
  }

 private:
  int pick(int from, int to) { return std::uniform_int_distribution<>(from, to)(random_); }

  void add(std::vector<std::uint32_t> whose) {
    std::vector<TaskId> after;
    for (std::size_t i = 0; i < work_.all.size(); ++i) {
      const auto& earlier = work_.all[i].customers;
      const bool feeds = std::all_of(whose.begin(), whose.end(), [&](auto customer) {
        return std::find(earlier.begin(), earlier.end(), customer) != earlier.end();
      });
      if (feeds && pick(0, 2) == 0) after.push_back(static_cast<TaskId>(i));
    }
    const TaskId id = work_.add(std::move(whose), pick(0, 1) ? Place::cpu : Place::device, pick(1, 20), after);
    work_.all[index_of(id)].needs.threads = pick(1, 4);
    work_.all[index_of(id)].needs.memory_bytes = static_cast<std::uint64_t>(pick(0, 120));
  }

  // Some slots become one device's, with memory of its own that tasks need.
  void share_devices() {
    for (auto& slot : capacity_.devices) {
      slot.id = pick(0, 1) ? "cuda:0" : "cuda:1";
      slot.on_host = false;
      slot.memory_bytes = 100;
    }
    for (auto& one : work_.all) one.needs.device_memory_bytes = static_cast<std::uint64_t>(pick(0, 3) * 20);
  }

  void check_devices(const std::vector<Admission>& running) const {
    struct There {
      int tasks = 0;
      std::uint64_t bytes = 0;
      bool unknown = false;
    };
    std::map<std::string, There> all;
    for (const auto& one : running) {
      if (!one.device) continue;
      const auto bytes = work_.all[index_of(one.task)].needs.device_memory_bytes;
      There& there = all[capacity_.devices[*one.device].id];
      ++there.tasks;
      there.bytes += bytes;
      there.unknown = there.unknown || bytes == 0;
    }
    for (const auto& [id, there] : all) {
      if (there.tasks == 1) continue;
      EXPECT_LE(there.bytes, 100U) << id;
      EXPECT_FALSE(there.unknown) << id;
    }
  }

  void check(const std::vector<Admission>& running) const {
    check_devices(running);
    std::vector<int> on_device(capacity_.devices.size());
    int cpu = 0, device = 0;
    std::uint64_t memory = 0;
    for (const auto& one : running) {
      memory += work_.all[index_of(one.task)].needs.memory_bytes;
      (one.device ? device : cpu) += one.threads;
      if (one.device) {
        EXPECT_EQ(++on_device[*one.device], 1);
      }
    }
    EXPECT_LE(cpu, capacity_.cores);
    EXPECT_LE(cpu + device, std::max(capacity_.cores, capacity_.device_threads() + 1));
    if (capacity_.memory_bytes > 0 && running.size() > 1) {
      EXPECT_LE(memory, capacity_.memory_bytes);
    }
  }

  std::mt19937 random_;
  Work work_;
  Capacity capacity_;
};

TEST(Scheduler, NeverExceedsWhatThereIsAndAdmitsEveryReadyTaskInTheEnd) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    RandomNight(seed).run();
    if (HasFailure()) return;
  }
}

TEST(Scheduler, IsTheSameForTheSameCalls) {
  for (unsigned seed = 0; seed < 50; ++seed) EXPECT_EQ(RandomNight(seed).run(), RandomNight(seed).run()) << seed;
}

TEST(Scheduler, RefusesADeviceTaskWithoutADevice) {
  Work work;
  work.add({0}, Place::device);
  EXPECT_THROW(Scheduler(machine(1, 0), 8, 1, work.tasks()), Fault);
}

TEST(Scheduler, StartsNothingOnADrainedDeviceNotEvenAlone) {
  Work work;
  const TaskId first = work.add({0}, Place::device), second = work.add({0}, Place::device),
               third = work.add({0}, Place::device);
  Scheduler scheduler(machine(8, 2), 8, work.customers, work.tasks());
  for (const TaskId task : {first, second, third}) scheduler.ready(task);
  ASSERT_EQ(ids(scheduler.admit({})), (std::vector<std::uint32_t>{0, 1}));
  scheduler.drain(0);
  scheduler.ended(first);
  EXPECT_TRUE(scheduler.admit({}).empty()) << "the other device is busy";
  EXPECT_TRUE(scheduler.any_device());
  scheduler.again(second, {}, true);
  const auto alone = scheduler.admit({});
  ASSERT_EQ(ids(alone), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(alone.front().device, 1U);
  scheduler.drain(1);
  scheduler.ended(second);
  EXPECT_FALSE(scheduler.any_device());
  EXPECT_TRUE(scheduler.admit({}).empty());
  EXPECT_EQ(scheduler.close(), (std::vector<TaskId>{third}));
}

}  // namespace
}  // namespace atelier
